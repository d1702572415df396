/** Every rule of a CIDRPool, with values on both sides of it. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatFieldError } from "../../src/lib/api/field_error.ts";
import { validatePool } from "../../src/lib/api/validate.ts";
import { cidrpool, type Json, parsed } from "./_pools.ts";

/** What is tried, what is changed in a valid pool (10.10.0.0/16, a /24 each), paths of errors, paths of warnings. */
type Row = readonly [what: string, spec: Json, errors: readonly string[], warnings?: readonly string[]];

const CIDR: readonly Row[] = [
  ["the whole of IPv4", { cidr: "0.0.0.0/0" }, []],
  ["one prefix", { cidr: "10.10.0.0/24" }, []],
  ["a single address", { cidr: "10.10.0.1/32", perNodeNetworkPrefix: 32 }, []],
  ["host bits", { cidr: "10.10.0.1/16" }, ["spec.cidr"]],
  ["a /33", { cidr: "10.10.0.0/33" }, ["spec.cidr"]],
  ["no length", { cidr: "10.10.0.0" }, ["spec.cidr"]],
  ["a leading zero", { cidr: "10.010.0.0/16" }, ["spec.cidr"]],
  ["a blank", { cidr: "10.10.0.0 /16" }, ["spec.cidr"]],
  ["IPv6", { cidr: "fd52:2eb5:44::/48", perNodeNetworkPrefix: 120 }, []],
  ["IPv6 host bits", { cidr: "fd52:2eb5:44::1/48", perNodeNetworkPrefix: 120 }, ["spec.cidr"]],
  ["an IPv6 zone", { cidr: "fe80::%1/64", perNodeNetworkPrefix: 120 }, ["spec.cidr"]],
  [
    "IPv4-mapped, with lengths of 128 bits",
    { cidr: "::ffff:10.10.0.0/112", perNodeNetworkPrefix: 120 },
    [],
    ["spec.cidr"],
  ],
  [
    "IPv4-mapped, with a length of 32 bits",
    { cidr: "::ffff:10.10.0.0/112", perNodeNetworkPrefix: 24 },
    ["spec.perNodeNetworkPrefix"],
    ["spec.cidr"],
  ],
];

const PREFIX_LENGTH: readonly Row[] = [
  ["that of the cidr", { perNodeNetworkPrefix: 16 }, []],
  ["one shorter than that of the cidr", { perNodeNetworkPrefix: 15 }, ["spec.perNodeNetworkPrefix"]],
  ["31", { perNodeNetworkPrefix: 31 }, []],
  ["32", { perNodeNetworkPrefix: 32 }, []],
  ["33", { perNodeNetworkPrefix: 33 }, ["spec.perNodeNetworkPrefix"]],
  ["0 of the whole of IPv4", { cidr: "0.0.0.0/0", perNodeNetworkPrefix: 0 }, ["spec.perNodeNetworkPrefix"]],
  ["1 of the whole of IPv4", { cidr: "0.0.0.0/0", perNodeNetworkPrefix: 1 }, []],
  ["-1", { perNodeNetworkPrefix: -1 }, ["spec.perNodeNetworkPrefix"]],
  ["64 of an IPv6 /48", { cidr: "fd00::/48", perNodeNetworkPrefix: 64 }, []],
  ["128 of an IPv6 /48", { cidr: "fd00::/48", perNodeNetworkPrefix: 128 }, []],
  ["129 of an IPv6 /48", { cidr: "fd00::/48", perNodeNetworkPrefix: 129 }, ["spec.perNodeNetworkPrefix"]],
  ["47 of an IPv6 /48", { cidr: "fd00::/48", perNodeNetworkPrefix: 47 }, ["spec.perNodeNetworkPrefix"]],
];

const GATEWAY_INDEX: readonly Row[] = [
  ["0, the network address", { gatewayIndex: 0 }, ["spec.gatewayIndex"]],
  ["1", { gatewayIndex: 1 }, []],
  ["254", { gatewayIndex: 254 }, []],
  ["255, the broadcast address", { gatewayIndex: 255 }, ["spec.gatewayIndex"]],
  ["256, the next prefix", { gatewayIndex: 256 }, ["spec.gatewayIndex"]],
  ["-1", { gatewayIndex: -1 }, ["spec.gatewayIndex"]],
  ["0 of a /31", { perNodeNetworkPrefix: 31, gatewayIndex: 0 }, []],
  ["1 of a /31", { perNodeNetworkPrefix: 31, gatewayIndex: 1 }, []],
  ["2 of a /31", { perNodeNetworkPrefix: 31, gatewayIndex: 2 }, ["spec.gatewayIndex"]],
  ["0 of a /32", { perNodeNetworkPrefix: 32, gatewayIndex: 0 }, [], ["spec"]],
  ["1 of a /32", { perNodeNetworkPrefix: 32, gatewayIndex: 1 }, ["spec.gatewayIndex"]],
  ["0 of an IPv6 /120", { cidr: "fd00::/64", perNodeNetworkPrefix: 120, gatewayIndex: 0 }, ["spec.gatewayIndex"]],
  [
    "255 of an IPv6 /120, which has no broadcast",
    { cidr: "fd00::/64", perNodeNetworkPrefix: 120, gatewayIndex: 255 },
    [],
  ],
  ["256 of an IPv6 /120", { cidr: "fd00::/64", perNodeNetworkPrefix: 120, gatewayIndex: 256 }, ["spec.gatewayIndex"]],
  ["the largest int32 of an IPv6 /64", { cidr: "fd00::/48", perNodeNetworkPrefix: 64, gatewayIndex: 2 ** 31 - 1 }, []],
  ["0 of an IPv6 /127", { cidr: "fd00::/64", perNodeNetworkPrefix: 127, gatewayIndex: 0 }, []],
];

const EXCLUSIONS: readonly Row[] = [
  ["across prefixes", { exclusions: [{ startIP: "10.10.0.0", endIP: "10.10.3.200" }] }, []],
  ["reversed", { exclusions: [{ startIP: "10.10.1.0", endIP: "10.10.0.9" }] }, ["spec.exclusions[0].endIP"]],
  [
    "outside",
    { exclusions: [{ startIP: "10.11.0.0", endIP: "10.11.0.9" }] },
    ["spec.exclusions[0].startIP", "spec.exclusions[0].endIP"],
  ],
  ["everything", { exclusions: [{ startIP: "10.10.0.0", endIP: "10.10.255.255" }] }, [], ["spec.exclusions"]],
];

const INDEX_EXCLUSIONS: readonly Row[] = [
  [
    "the last index of a /24",
    { perNodeExclusions: [{ startIndex: 0, endIndex: 255 }] },
    [],
    ["spec.perNodeExclusions"],
  ],
  [
    "one beyond a /24",
    { perNodeExclusions: [{ startIndex: 0, endIndex: 256 }] },
    ["spec.perNodeExclusions[0].endIndex"],
  ],
  [
    "all but the gateway of a /31, as Spectrum-X does",
    { perNodeNetworkPrefix: 31, gatewayIndex: 0, perNodeExclusions: [{ startIndex: 1, endIndex: 1 }] },
    [],
    ["spec"],
  ],
  [
    "the largest int32 of a /64",
    { cidr: "fd00::/48", perNodeNetworkPrefix: 64, perNodeExclusions: [{ startIndex: 5, endIndex: 2 ** 31 - 1 }] },
    [],
  ],
  ["reversed", { perNodeExclusions: [{ startIndex: 5, endIndex: 4 }] }, ["spec.perNodeExclusions[0].endIndex"]],
];

const A = { nodeName: "a", prefix: "10.10.1.0/24" };
const STATICS: readonly Row[] = [
  ["for a node", { staticAllocations: [A] }, []],
  ["for a node, with gateway", { staticAllocations: [{ ...A, gateway: "10.10.1.7" }] }, []],
  ["for no node", { staticAllocations: [{ prefix: "10.10.1.0/24" }] }, []],
  [
    "for no node, twice",
    { staticAllocations: [{ prefix: "10.10.1.0/24" }, { nodeName: "", prefix: "10.10.2.0/24" }] },
    [],
  ],
  [
    "the same node twice",
    { staticAllocations: [A, { nodeName: "a", prefix: "10.10.2.0/24" }] },
    ["spec.staticAllocations[1].nodeName"],
  ],
  [
    "the same prefix twice",
    { staticAllocations: [A, { nodeName: "b", prefix: "10.10.1.0/24" }] },
    ["spec.staticAllocations[1].prefix"],
  ],
  [
    "the same prefix for nobody too",
    { staticAllocations: [A, { prefix: "10.10.1.0/24" }] },
    ["spec.staticAllocations[1].prefix"],
  ],
  [
    "the same IPv6 prefix in different spellings",
    {
      cidr: "fd00::/48",
      perNodeNetworkPrefix: 64,
      staticAllocations: [
        { nodeName: "a", prefix: "fd00:0:0:1::/64" },
        { nodeName: "b", prefix: "FD00::1:0:0:0:0/64" },
      ],
    },
    ["spec.staticAllocations[1].prefix"],
  ],
  [
    "longer than each node's",
    { staticAllocations: [{ nodeName: "a", prefix: "10.10.1.0/25" }] },
    ["spec.staticAllocations[0].prefix"],
  ],
  [
    "shorter than each node's",
    { staticAllocations: [{ nodeName: "a", prefix: "10.10.0.0/23" }] },
    ["spec.staticAllocations[0].prefix"],
  ],
  [
    "outside the cidr",
    { staticAllocations: [{ nodeName: "a", prefix: "10.11.1.0/24" }] },
    ["spec.staticAllocations[0].prefix"],
  ],
  [
    "of the other family",
    { staticAllocations: [{ nodeName: "a", prefix: "fd00::/24" }] },
    ["spec.staticAllocations[0].prefix"],
  ],
  [
    "with host bits",
    { staticAllocations: [{ nodeName: "a", prefix: "10.10.1.1/24" }] },
    ["spec.staticAllocations[0].prefix"],
  ],
  ["no network", { staticAllocations: [{ nodeName: "a", prefix: "10.10.1.0" }] }, ["spec.staticAllocations[0].prefix"]],
  [
    "IPv4-mapped in a pool that is not",
    { staticAllocations: [{ nodeName: "a", prefix: "::ffff:10.10.1.0/120" }] },
    ["spec.staticAllocations[0].prefix"],
  ],
  [
    "IPv4-mapped as the pool is",
    {
      cidr: "::ffff:10.10.0.0/112",
      perNodeNetworkPrefix: 120,
      staticAllocations: [{ nodeName: "a", prefix: "::ffff:10.10.1.0/120" }],
    },
    [],
    ["spec.cidr"],
  ],
  [
    "a gateway outside the prefix",
    { staticAllocations: [{ ...A, gateway: "10.10.2.1" }] },
    ["spec.staticAllocations[0].gateway"],
  ],
  [
    "a gateway that is no address",
    { staticAllocations: [{ ...A, gateway: "10.10.1.1/24" }] },
    ["spec.staticAllocations[0].gateway"],
  ],
  [
    "the network address as gateway",
    { staticAllocations: [{ ...A, gateway: "10.10.1.0" }] },
    [],
    ["spec.staticAllocations[0].gateway"],
  ],
  ["an empty gateway, which is none", { staticAllocations: [{ ...A, gateway: "" }] }, []],
];

const GATEWAY_USERS: readonly Row[] = [
  ["defaultGateway with an index", { gatewayIndex: 1, defaultGateway: true }, []],
  ["defaultGateway without index", { defaultGateway: true }, ["spec.defaultGateway"]],
  ["the alias without index", { defautGateway: true }, [], ["spec.defautGateway", "spec.defautGateway"]],
  ["routes with an index", { gatewayIndex: 1, routes: [{ dst: "5.5.0.0/16" }] }, []],
  ["routes without index", { routes: [{ dst: "5.5.0.0/16" }] }, ["spec.routes"]],
  [
    "a default route beside defaultGateway",
    { gatewayIndex: 1, defaultGateway: true, routes: [{ dst: "0.0.0.0/0" }] },
    ["spec.routes[0].dst"],
  ],
  ["a route of the other family", { gatewayIndex: 1, routes: [{ dst: "fd00::/16" }] }, ["spec.routes[0].dst"]],
];

const TABLES: readonly (readonly [string, readonly Row[]])[] = [
  ["cidr", CIDR],
  ["perNodeNetworkPrefix", PREFIX_LENGTH],
  ["gatewayIndex", GATEWAY_INDEX],
  ["exclusions", EXCLUSIONS],
  ["perNodeExclusions", INDEX_EXCLUSIONS],
  ["a static allocation", STATICS],
  ["what goes through the gateway", GATEWAY_USERS],
];

for (const [field, rows] of TABLES) {
  for (const [what, spec, errors, warnings = []] of rows) {
    const outcome = errors.length > 0 ? "refused" : warnings.length > 0 ? "accepted with a warning" : "accepted";
    test(`${field}: ${what} is ${outcome}`, () => {
      const validity = validatePool(parsed(cidrpool(spec)));
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

test("messages say what would be right", () => {
  const spec = { perNodeNetworkPrefix: 33, staticAllocations: [A, { nodeName: "a", prefix: "10.10.1.0/24" }] };
  assert.equal(validatePool(parsed(cidrpool({ cidr: "10.10.0.1/16" }))).errors.map(formatFieldError), [
    'spec.cidr: Invalid value: "10.10.0.1/16": must have no host bits set; write 10.10.0.0/16',
  ]);
  assert.equal(validatePool(parsed(cidrpool(spec))).errors.map(formatFieldError), [
    "spec.perNodeNetworkPrefix: Invalid value: 33: must be from 16 to 32 for a pool of 10.10.0.0/16",
    'spec.staticAllocations[1].nodeName: Invalid value: "a": must be named once; staticAllocations[0] is for it too',
    'spec.staticAllocations[1].prefix: Invalid value: "10.10.1.0/24": must be set aside once; staticAllocations[0] is 10.10.1.0/24 too',
  ]);
});

test.run();
