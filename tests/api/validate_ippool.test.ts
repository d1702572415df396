/** Every rule of an IPPool, with values on both sides of it. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatFieldError } from "../../src/lib/api/field_error.ts";
import { validatePool } from "../../src/lib/api/validate.ts";
import { ippool, type Json, parsed } from "./_pools.ts";

/** What is tried, what is changed in a valid pool (10.10.0.0/24, blocks of 8), paths of errors, paths of warnings. */
type Row = readonly [what: string, spec: Json, errors: readonly string[], warnings?: readonly string[]];

const SUBNET: readonly Row[] = [
  ["the whole of IPv4", { subnet: "0.0.0.0/0" }, []],
  ["a /8", { subnet: "10.0.0.0/8" }, []],
  ["a /30 with blocks of 2", { subnet: "10.0.0.0/30", perNodeBlockSize: 2 }, []],
  ["a /31 with blocks of 2", { subnet: "10.0.0.0/31", perNodeBlockSize: 2 }, []],
  ["a /32 with blocks of 1", { subnet: "10.0.0.1/32", perNodeBlockSize: 1 }, []],
  ["a /33", { subnet: "10.0.0.0/33" }, ["spec.subnet"]],
  ["a negative length", { subnet: "10.0.0.0/-1" }, ["spec.subnet"]],
  ["no length", { subnet: "10.0.0.0" }, ["spec.subnet"]],
  ["an empty length", { subnet: "10.0.0.0/" }, ["spec.subnet"]],
  ["a netmask", { subnet: "10.0.0.0/255.255.255.0" }, ["spec.subnet"]],
  ["nothing", { subnet: "" }, ["spec.subnet"]],
  ["a name", { subnet: "localhost/24" }, ["spec.subnet"]],
  ["host bits", { subnet: "10.10.0.77/24" }, [], ["spec.subnet"]],
  ["a leading zero", { subnet: "010.10.0.0/24" }, ["spec.subnet"]],
  ["a leading zero in the length", { subnet: "10.10.0.0/024" }, ["spec.subnet"]],
  ["three parts", { subnet: "10.10.0/24" }, ["spec.subnet"]],
  ["a part of 256", { subnet: "10.256.0.0/24" }, ["spec.subnet"]],
  ["hexadecimal", { subnet: "0x0a.10.0.0/24" }, ["spec.subnet"]],
  ["a blank before", { subnet: " 10.10.0.0/24" }, ["spec.subnet"]],
  ["a blank after", { subnet: "10.10.0.0/24 " }, ["spec.subnet"]],
  ["a line end", { subnet: "10.10.0.0/24\n" }, ["spec.subnet"]],
  ["an IPv4-mapped network", { subnet: "::ffff:10.10.0.0/120" }, [], ["spec.subnet"]],
  ["IPv6", { subnet: "fd52:2eb5:44::/48" }, []],
  ["IPv6 in capitals, written out", { subnet: "FD52:2EB5:0044:0:0:0:0:0/48" }, []],
  ["the whole of IPv6", { subnet: "::/0" }, []],
  ["an IPv6 /127 with blocks of 2", { subnet: "fd00::/127", perNodeBlockSize: 2 }, []],
  ["an IPv6 /128 with blocks of 1", { subnet: "fd00::1/128", perNodeBlockSize: 1 }, []],
  ["an IPv6 /129", { subnet: "fd00::/129" }, ["spec.subnet"]],
  ["an IPv6 zone", { subnet: "fe80::%eth0/64" }, ["spec.subnet"]],
  ["two gaps", { subnet: "fd00::1::/64" }, ["spec.subnet"]],
];

const BLOCK_SIZE: readonly Row[] = [
  ["0", { perNodeBlockSize: 0 }, ["spec.perNodeBlockSize"]],
  ["-1", { perNodeBlockSize: -1 }, ["spec.perNodeBlockSize"]],
  ["1", { perNodeBlockSize: 1 }, []],
  ["all of a /24", { perNodeBlockSize: 254 }, []],
  ["one more than a /24 has", { perNodeBlockSize: 255 }, ["spec.perNodeBlockSize"]],
  ["all of a /29", { subnet: "10.10.0.0/29", perNodeBlockSize: 6 }, []],
  ["one more than a /29 has", { subnet: "10.10.0.0/29", perNodeBlockSize: 7 }, ["spec.perNodeBlockSize"]],
  ["both of a /31", { subnet: "10.10.0.0/31", perNodeBlockSize: 2 }, []],
  ["three of a /31", { subnet: "10.10.0.0/31", perNodeBlockSize: 3 }, ["spec.perNodeBlockSize"]],
  ["two of a /32", { subnet: "10.10.0.0/32", perNodeBlockSize: 2 }, ["spec.perNodeBlockSize"]],
  ["all of an IPv6 /120", { subnet: "fd00::/120", perNodeBlockSize: 255 }, []],
  ["one more than an IPv6 /120 has", { subnet: "fd00::/120", perNodeBlockSize: 256 }, ["spec.perNodeBlockSize"]],
  ["2^53 - 1 of a /48", { subnet: "fd00::/48", perNodeBlockSize: 2 ** 53 - 1 }, []],
  ["2^53 - 1 of an IPv4 /0", { subnet: "0.0.0.0/0", perNodeBlockSize: 2 ** 53 - 1 }, ["spec.perNodeBlockSize"]],
];

const GATEWAY: readonly Row[] = [
  ["the first address", { gateway: "10.10.0.1" }, []],
  ["the last address", { gateway: "10.10.0.254" }, []],
  ["the empty text, which is none", { gateway: "" }, []],
  ["the network address", { gateway: "10.10.0.0" }, [], ["spec.gateway"]],
  ["the broadcast address", { gateway: "10.10.0.255" }, [], ["spec.gateway"]],
  ["an address of another network", { gateway: "10.10.1.1" }, ["spec.gateway"]],
  ["an address of the other family", { gateway: "fd00::1" }, ["spec.gateway"]],
  ["with a prefix length", { gateway: "10.10.0.1/24" }, ["spec.gateway"]],
  ["with a leading zero", { gateway: "10.10.0.01" }, ["spec.gateway"]],
  ["with a blank", { gateway: "10.10.0.1 " }, ["spec.gateway"]],
  ["IPv4-mapped", { gateway: "::ffff:10.10.0.1" }, [], ["spec.gateway"]],
  ["with a zone", { subnet: "fe80::/64", gateway: "fe80::1%eth0" }, ["spec.gateway"]],
  ["in a subnet that is none", { subnet: "x", gateway: "10.10.0.1" }, ["spec.subnet"]],
  ["no address in a subnet that is none", { subnet: "x", gateway: "y" }, ["spec.subnet", "spec.gateway"]],
];

const EXCLUSIONS: readonly Row[] = [
  ["none", { exclusions: [] }, []],
  ["one address", { exclusions: [{ startIP: "10.10.0.9", endIP: "10.10.0.9" }] }, []],
  [
    "network and broadcast address too",
    {
      exclusions: [
        { startIP: "10.10.0.0", endIP: "10.10.0.20" },
        { startIP: "10.10.0.250", endIP: "10.10.0.255" },
      ],
    },
    [],
  ],
  [
    "overlapping and twice",
    {
      exclusions: [
        { startIP: "10.10.0.1", endIP: "10.10.0.9" },
        { startIP: "10.10.0.5", endIP: "10.10.0.20" },
        { startIP: "10.10.0.5", endIP: "10.10.0.20" },
      ],
    },
    [],
  ],
  ["everything", { exclusions: [{ startIP: "10.10.0.0", endIP: "10.10.0.255" }] }, [], ["spec.exclusions"]],
  ["reversed", { exclusions: [{ startIP: "10.10.0.9", endIP: "10.10.0.8" }] }, ["spec.exclusions[0].endIP"]],
  [
    "a start outside",
    { exclusions: [{ startIP: "10.9.255.255", endIP: "10.10.0.8" }] },
    ["spec.exclusions[0].startIP"],
  ],
  ["an end outside", { exclusions: [{ startIP: "10.10.0.9", endIP: "10.10.1.0" }] }, ["spec.exclusions[0].endIP"]],
  [
    "both outside",
    { exclusions: [{ startIP: "10.11.0.1", endIP: "10.11.0.2" }] },
    ["spec.exclusions[0].startIP", "spec.exclusions[0].endIP"],
  ],
  [
    "the second one with a wrong start",
    {
      exclusions: [
        { startIP: "10.10.0.9", endIP: "10.10.0.9" },
        { startIP: "10.10.0.300", endIP: "10.10.0.9" },
      ],
    },
    ["spec.exclusions[1].startIP"],
  ],
  ["a network", { exclusions: [{ startIP: "10.10.0.8/30", endIP: "10.10.0.9" }] }, ["spec.exclusions[0].startIP"]],
  ["both families", { exclusions: [{ startIP: "10.10.0.9", endIP: "fd00::1" }] }, ["spec.exclusions[0].endIP"]],
  ["in a subnet that is none", { subnet: "x", exclusions: [{ startIP: "y", endIP: "z" }] }, ["spec.subnet"]],
];

const INDEX_EXCLUSIONS: readonly Row[] = [
  ["the first index", { perNodeExclusions: [{ startIndex: 0, endIndex: 0 }] }, []],
  ["the last index", { perNodeExclusions: [{ startIndex: 7, endIndex: 7 }] }, []],
  [
    "overlapping",
    {
      perNodeExclusions: [
        { startIndex: 0, endIndex: 3 },
        { startIndex: 2, endIndex: 5 },
      ],
    },
    [],
  ],
  ["every index", { perNodeExclusions: [{ startIndex: 0, endIndex: 7 }] }, [], ["spec.perNodeExclusions"]],
  ["an end beyond", { perNodeExclusions: [{ startIndex: 7, endIndex: 8 }] }, ["spec.perNodeExclusions[0].endIndex"]],
  [
    "both beyond",
    { perNodeExclusions: [{ startIndex: 8, endIndex: 9 }] },
    ["spec.perNodeExclusions[0].startIndex", "spec.perNodeExclusions[0].endIndex"],
  ],
  ["reversed", { perNodeExclusions: [{ startIndex: 3, endIndex: 2 }] }, ["spec.perNodeExclusions[0].endIndex"]],
  [
    "a negative start",
    { perNodeExclusions: [{ startIndex: -1, endIndex: 2 }] },
    ["spec.perNodeExclusions[0].startIndex"],
  ],
  [
    "a negative end",
    { perNodeExclusions: [{ startIndex: 0, endIndex: -1 }] },
    ["spec.perNodeExclusions[0].endIndex", "spec.perNodeExclusions[0].endIndex"],
  ],
  [
    "the largest int32 in a block that is larger",
    { subnet: "fd00::/48", perNodeBlockSize: 2 ** 40, perNodeExclusions: [{ startIndex: 0, endIndex: 2 ** 31 - 1 }] },
    [],
  ],
];

const ROUTES: readonly Row[] = [
  ["through a gateway", { gateway: "10.10.0.1", routes: [{ dst: "5.5.0.0/16" }, { dst: "10.7.1.0/24" }] }, []],
  ["an empty list without gateway", { routes: [] }, []],
  ["without gateway", { routes: [{ dst: "5.5.0.0/16" }] }, ["spec.routes"]],
  ["the default route", { gateway: "10.10.0.1", routes: [{ dst: "0.0.0.0/0" }] }, []],
  [
    "the default route beside defaultGateway",
    { gateway: "10.10.0.1", defaultGateway: true, routes: [{ dst: "0.0.0.0/0" }] },
    ["spec.routes[0].dst"],
  ],
  [
    "the default route beside the alias, which the original does not know",
    { gateway: "10.10.0.1", defautGateway: true, routes: [{ dst: "0.0.0.0/0" }] },
    [],
    ["spec.defautGateway"],
  ],
  [
    "an IPv6 default route beside defaultGateway",
    { subnet: "fd00::/64", gateway: "fd00::1", defaultGateway: true, routes: [{ dst: "::/0" }] },
    ["spec.routes[0].dst"],
  ],
  ["the other family", { gateway: "10.10.0.1", routes: [{ dst: "fd00::/64" }] }, ["spec.routes[0].dst"]],
  ["no network", { gateway: "10.10.0.1", routes: [{ dst: "5.5.0.0" }] }, ["spec.routes[0].dst"]],
  ["host bits", { gateway: "10.10.0.1", routes: [{ dst: "5.5.0.1/16" }] }, [], ["spec.routes[0].dst"]],
  ["IPv4-mapped, the same family", { gateway: "10.10.0.1", routes: [{ dst: "::ffff:5.5.0.0/112" }] }, []],
];

const DEFAULT_GATEWAY: readonly Row[] = [
  ["with a gateway", { gateway: "10.10.0.1", defaultGateway: true }, []],
  ["false without gateway", { defaultGateway: false }, []],
  ["without gateway", { defaultGateway: true }, ["spec.defaultGateway"]],
  ["with an empty gateway", { gateway: "", defaultGateway: true }, ["spec.defaultGateway"]],
  ["the alias", { gateway: "10.10.0.1", defautGateway: true }, [], ["spec.defautGateway"]],
  ["the alias without gateway", { defautGateway: true }, [], ["spec.defautGateway", "spec.defautGateway"]],
  ["both", { gateway: "10.10.0.1", defaultGateway: false, defautGateway: true }, [], ["spec.defautGateway"]],
];

const BLOCKS: readonly Row[] = [
  [
    "a block that is the gateway and excluded addresses",
    {
      subnet: "10.10.0.0/29",
      perNodeBlockSize: 6,
      gateway: "10.10.0.1",
      perNodeExclusions: [{ startIndex: 1, endIndex: 5 }],
    },
    [],
    ["spec"],
  ],
  [
    "an address that is the gateway",
    { subnet: "10.10.0.1/32", perNodeBlockSize: 1, gateway: "10.10.0.1" },
    [],
    ["spec"],
  ],
];

const TABLES: readonly (readonly [string, readonly Row[]])[] = [
  ["subnet", SUBNET],
  ["perNodeBlockSize", BLOCK_SIZE],
  ["gateway", GATEWAY],
  ["exclusions", EXCLUSIONS],
  ["perNodeExclusions", INDEX_EXCLUSIONS],
  ["routes", ROUTES],
  ["defaultGateway", DEFAULT_GATEWAY],
  ["what is left of blocks", BLOCKS],
];

for (const [field, rows] of TABLES) {
  for (const [what, spec, errors, warnings = []] of rows) {
    const outcome = errors.length > 0 ? "refused" : warnings.length > 0 ? "accepted with a warning" : "accepted";
    test(`${field}: ${what} is ${outcome}`, () => {
      const validity = validatePool(parsed(ippool(spec)));
      assert.equal(
        validity.errors.map(({ path }) => path),
        errors,
      );
      assert.equal(
        validity.warnings.map(({ path }) => path),
        warnings,
      );
    });
  }
}

const NAMES: readonly (readonly [name: string, isValid: boolean])[] = [
  ["pool1", true],
  ["a", true],
  ["7", true],
  ["Pool_1.b-c", true],
  ["", false],
  ["-pool", false],
  [".pool", false],
  ["_pool", false],
  ["pool 1", false],
  ["pool/1", false],
  ["../pool", false],
  ["pool\n", false],
  ["pööl", false],
];

for (const [name, isValid] of NAMES) {
  test(`the name ${JSON.stringify(name)} is ${isValid ? "accepted" : "refused"}`, () => {
    const { errors } = validatePool(parsed({ ...ippool(), metadata: { name } }));
    assert.equal(
      errors.map(({ path }) => path),
      isValid ? [] : ["metadata.name"],
    );
  });
}

test("messages say what would be right", () => {
  const { errors } = validatePool(
    parsed(
      ippool({
        perNodeBlockSize: 300,
        gateway: "10.11.0.1",
        exclusions: [{ startIP: "10.10.0.9", endIP: "10.10.0.8" }],
      }),
    ),
  );
  assert.equal(errors.map(formatFieldError), [
    "spec.perNodeBlockSize: Invalid value: 300: must be at most 254, the number of addresses that nodes can have in 10.10.0.0/24",
    'spec.gateway: Invalid value: "10.11.0.1": must be an address of 10.10.0.0/24',
    'spec.exclusions[0].endIP: Invalid value: "10.10.0.8": must not come before startIP 10.10.0.9',
  ]);
});

test("a million excluded addresses cost no more than one", () => {
  const { errors } = validatePool(
    parsed(ippool({ subnet: "10.0.0.0/8", exclusions: [{ startIP: "10.0.0.0", endIP: "10.15.255.255" }] })),
  );
  assert.equal(errors, []);
});

test.run();
