import { test } from "uvu";
import * as assert from "uvu/assert";
import { Ledger } from "../../../src/lib/reservations/ledger.ts";
import type { Reservation } from "../../../src/lib/reservations/reservation.ts";
import { fail, ok } from "../../../src/lib/result.ts";
import { DaemonService, type DaemonState } from "../../../src/lib/rpc/server/inspection.ts";

function reservation(index: number, more: Partial<Reservation> = {}): Reservation {
  return {
    pool: { kind: "IPPool", name: "pool1", uid: "u1" },
    addresses: [{ family: 4, value: BigInt(index) }],
    containerID: `c${index}`,
    ifname: "net1",
    owner: { type: "pod", namespace: "default", name: `p${index}`, uid: `u${index}` },
    network: "net-a",
    deviceID: "",
    how: "dynamic",
    createdAt: "2026-11-22T08:00:00Z",
    ...more,
  };
}

function service(reservations: readonly Reservation[], state: Partial<DaemonState> = {}): DaemonService {
  const { ledger } = Ledger.load({ reservations, pools: [] });
  const store = { ledger, commit: async () => ok(undefined), admitsReservations: () => ok(undefined) };
  const nothing = {
    notReady: () => [],
    poolViews: () => [],
    outdated: () => [],
    podViews: () => undefined,
    addressViews: () => [],
  };
  return new DaemonService(store, { nodeName: "node-1", ...nothing, ...state });
}

const everything = { pageSize: 0, pageToken: "", containerId: "", ifname: "" };

async function list(of: DaemonService, request: Partial<typeof everything>) {
  const answer = await of.listReservations({ ...everything, ...request });
  if (!answer.ok) throw new Error(answer.error.message);
  return answer.value;
}

test("reservations come in pages that together are all of them", async () => {
  const daemon = service(Array.from({ length: 2500 }, (_, index) => reservation(index)));
  const seen: string[] = [];
  const sizes: number[] = [];
  let pageToken = "";
  do {
    const page = await list(daemon, { pageToken });
    sizes.push(page.reservations.length);
    seen.push(...page.reservations.map(({ containerId }) => containerId));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  assert.equal(sizes, [1000, 1000, 500]);
  assert.is(new Set(seen).size, 2500);
});

const sizes: readonly [asked: number, given: number][] = [
  [1, 1],
  [1500, 1000],
  [2 ** 31 - 1, 1000],
  [-1, 1000],
];
for (const [asked, given] of sizes) {
  test(`a page of ${asked} has ${given}`, async () => {
    const daemon = service(Array.from({ length: 1200 }, (_, index) => reservation(index)));
    assert.is((await list(daemon, { pageSize: asked })).reservations.length, given);
  });
}

for (const pageToken of ["-1", "-9007199254740991", "x", "1e3", "9".repeat(30)]) {
  test(`R13 the page token ${pageToken} is refused at once`, async () => {
    const answer = await service([reservation(1)]).listReservations({ ...everything, pageToken });
    assert.equal(answer, fail({ status: "InvalidArgument", message: "page_token is not one of ours" }));
  });
}

test("a page token beyond the end gives an empty last page", async () => {
  assert.equal(await list(service([reservation(1)]), { pageToken: "9007199254740991" }), {
    reservations: [],
    nextPageToken: "",
  });
});

test("an attachment's own reservations can be asked for", async () => {
  const daemon = service([reservation(1), reservation(1, { ifname: "net2" }), reservation(2)]);
  assert.is((await list(daemon, { containerId: "c1" })).reservations.length, 2);
  assert.is((await list(daemon, { containerId: "c1", ifname: "net2" })).reservations.length, 1);
  assert.is((await list(daemon, { ifname: "net2" })).reservations.length, 1);
  assert.is((await list(daemon, { containerId: "c9" })).reservations.length, 0);
});

test("a reservation of nobody shows no pod", async () => {
  const [view] = (await list(service([reservation(1, { owner: { type: "none" } })]), {})).reservations;
  assert.equal([view?.podNamespace, view?.podName, view?.podUid], ["", "", ""]);
});

test("pods come in pages; where they are not known, that is said", async () => {
  const pods = ["a", "b", "c"].map((name) => ({
    namespace: "shop",
    name,
    uid: name,
    interfaces: [],
    terminating: false,
  }));
  const daemon = service([], { podViews: () => pods });
  const page = async (pageToken: string) => {
    const answer = await daemon.listPods({ pageSize: 2, pageToken });
    if (!answer.ok) throw new Error(answer.error.message);
    return [answer.value.known, answer.value.pods.map(({ name }) => name), answer.value.nextPageToken];
  };
  assert.equal(await page(""), [true, ["a", "b"], "2"]);
  assert.equal(await page("2"), [true, ["c"], ""]);
  assert.equal(await page("9007199254740991"), [true, [], ""]);
  assert.equal(
    await service([]).listPods({ pageSize: 0, pageToken: "" }),
    ok({ pods: [], nextPageToken: "", known: false }),
  );
  assert.is((await daemon.listPods({ pageSize: 0, pageToken: "-1" })).ok, false);
});

test("what is no address is not described", async () => {
  const answer = await service([]).describeAddress({ address: "10.0.0" });
  assert.equal(answer, fail({ status: "InvalidArgument", message: "address is no IP address" }));
});

test("GC frees what was made under the network's name and is not valid, and nothing else", async () => {
  const daemon = service([
    reservation(1),
    reservation(2),
    reservation(3, { network: "net-b" }),
    reservation(4, { network: "" }),
  ]);
  const validAttachments = [{ containerId: "c1", ifname: "net1" }];
  assert.equal(await daemon.collectGarbage({ network: "net-a", validAttachments }), ok({ released: 1 }));
  const left = (await list(daemon, {})).reservations.map(({ containerId }) => containerId);
  assert.equal(left, ["c1", "c3", "c4"]);
});

test("GC without a network's name is refused", async () => {
  const answer = await service([reservation(1)]).collectGarbage({ network: "", validAttachments: [] });
  assert.equal(answer, fail({ status: "InvalidArgument", message: "network is required" }));
});

test.run();
