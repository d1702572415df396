/** How long a plan takes: from nothing, and with one node more; what it depends on, and on what it must not. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Assignment, Took } from "./_planning.ts";
import type { Row } from "./_report.ts";
import { median, pairedRatio } from "./_statistics.ts";

const NODES = 10_000;
const ROUNDS = 7;
/** Milliseconds. */
const BOUNDS = { first: 150, oneMore: 10 };
/** Twice the nodes: twice the time, but for noise. */
const LINEAR_BOUND = 2.3;
/** Nothing more, but for noise. */
const INDEPENDENT_BOUND = 1.2;

const gateway = "10.0.0.1";
const million = { startIP: "10.0.0.100", endIP: "10.16.0.0" };
const scattered = Array.from({ length: 1000 }, (_, i) => ({
  startIP: `10.${100 + (i >> 8)}.${i & 255}.7`,
  endIP: `10.${100 + (i >> 8)}.${i & 255}.9`,
}));

const CASES = {
  "IPv4, blocks of 64 of a /8": ip({ subnet: "10.0.0.0/8", perNodeBlockSize: 64, gateway }),
  "the same of a /12": ip({ subnet: "10.0.0.0/12", perNodeBlockSize: 64, gateway }),
  "the same of a /8, a million excluded": ip({
    subnet: "10.0.0.0/8",
    perNodeBlockSize: 64,
    gateway,
    exclusions: [million],
  }),
  "the same, 1,000 x 3 excluded": ip({ subnet: "10.0.0.0/8", perNodeBlockSize: 64, gateway, exclusions: scattered }),
  "IPv6, a /64 each of a /48": prefix({ cidr: "fd52:2eb5:44::/48", perNodeNetworkPrefix: 64, gatewayIndex: 1 }),
  "IPv6, a /64 each of a /16": prefix({ cidr: "fd52::/16", perNodeNetworkPrefix: 64, gatewayIndex: 1 }),
} as const;
type Case = keyof typeof CASES;

/** The other case beside which each is measured. A thousand exclusions are read once, with the first plan, and cost what they cost. */
const BESIDE: Readonly<Record<keyof Took, Partial<Record<Case, Case>>>> = {
  first: {
    "IPv4, blocks of 64 of a /8": "the same of a /12",
    "the same of a /8, a million excluded": "IPv4, blocks of 64 of a /8",
    "IPv6, a /64 each of a /16": "IPv6, a /64 each of a /48",
  },
  oneMore: {
    "IPv4, blocks of 64 of a /8": "the same of a /12",
    "the same of a /8, a million excluded": "IPv4, blocks of 64 of a /8",
    "the same, 1,000 x 3 excluded": "IPv4, blocks of 64 of a /8",
    "IPv6, a /64 each of a /16": "IPv6, a /64 each of a /48",
  },
};

/** Milliseconds of a plan. */
export async function planner(): Promise<Row[]> {
  const names = Object.keys(CASES) as Case[];
  const times = new Map(names.map((name): [Case, Took[]] => [name, []]));
  const doubled: Took[] = [];
  const [plain] = names;
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, taken] of times) taken.push(await inThread({ ...CASES[name], nodes: NODES }));
    if (plain !== undefined) doubled.push(await inThread({ ...CASES[plain], nodes: 2 * NODES }));
  }
  return (["first", "oneMore"] as const).flatMap((which) => {
    const of = (name: Case): number[] => (times.get(name) ?? []).map((took) => took[which]);
    const label = which === "first" ? `${NODES} nodes from nothing` : "one node more";
    const rows = names.map(
      (name): Row => ({
        what: `${label}: ${name}`,
        value: median(of(name)),
        unit: "ms",
        bound: { most: BOUNDS[which] },
      }),
    );
    const compared = names.flatMap((name): Row[] => {
      const other = BESIDE[which][name];
      if (other === undefined) return [];
      const beside = { what: other, value: median(of(other)), ratio: pairedRatio(of(name), of(other)) };
      return [
        { what: `${label}: ${name}`, value: median(of(name)), unit: "ms", beside, bound: { most: INDEPENDENT_BOUND } },
      ];
    });
    const large = doubled.map((took) => took[which]);
    const small = plain === undefined ? [] : of(plain);
    const beside = { what: `${NODES}`, value: median(small), ratio: pairedRatio(large, small) };
    const what = `${label}: ${2 * NODES} nodes`;
    return [...rows, ...compared, { what, value: median(large), unit: "ms", beside, bound: { most: LINEAR_BOUND } }];
  });
}

function ip(spec: Assignment["spec"]): Omit<Assignment, "nodes"> {
  return { kind: "IPPool", spec };
}

function prefix(spec: Assignment["spec"]): Omit<Assignment, "nodes"> {
  return { kind: "CIDRPool", spec };
}

async function inThread(assignment: Assignment): Promise<Took> {
  const worker = new Worker(new URL("./_planning.ts", import.meta.url), { workerData: assignment });
  try {
    const [took] = await once(worker, "message");
    return took;
  } finally {
    await worker.terminate();
  }
}
