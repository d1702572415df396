import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  NETWORKS_ANNOTATION,
  networkSelectionFault,
  readNetworkSelection,
} from "../../src/lib/api/network_selection.ts";

/** namespace/name@interface, the addresses asked for, the names of cni-args. */
function read(text: string): readonly string[] {
  return readNetworkSelection({ [NETWORKS_ANNOTATION]: text }, "shop").map(
    ({ namespace, name, ifname, ips, cniArgs }) =>
      [`${namespace}/${name}@${ifname}`, ...ips, ...Object.keys(cniArgs)].join(" "),
  );
}

const rows: readonly [text: string, expected: readonly string[]][] = [
  ["net-a", ["shop/net-a@net1"]],
  ["net-a, infra/net-b@ib0 ,net-c", ["shop/net-a@net1", "infra/net-b@ib0", "shop/net-c@net3"]],
  ['[{"name":"net-a","namespace":"infra"},{"name":"net-b","interface":"ib0"}]', ["infra/net-a@net1", "shop/net-b@ib0"]],
  ['[{"name":"a","ips":["10.0.0.9/24","fd00::9"]}]', ["shop/a@net1 10.0.0.9/24 fd00::9"]],
  ['[{"name":"a","cni-args":{"poolNames":["p"]}}]', ["shop/a@net1 poolNames"]],
  ['[{"name":"a","ips":"10.0.0.9","cni-args":[]}]', ["shop/a@net1"]],
  ['[{"namespace":"x"},7,null]', []],
  ["[{", []],
  ["", []],
  ["a/b/c", []],
];
for (const [text, expected] of rows) {
  test(`${JSON.stringify(text)} asks for ${expected.length} networks`, () => assert.equal(read(text), expected));
}

const faults: readonly [text: string, expected: string | undefined][] = [
  ["net-a, infra/net-b@ib0", undefined],
  ['[{"name":"net-a"}]', undefined],
  ["", undefined],
  ["net-a, a/b/c", '"a/b/c" is not [NAMESPACE/]NAME[@INTERFACE]'],
  ["net-a,", '"" is not [NAMESPACE/]NAME[@INTERFACE]'],
  ['[{"name": "net-a"', "it is no JSON list"],
  ['{"name": "net-a"}', "it is no JSON list"],
  ['[{"name": "net-a"}, {"interface": "net2"}]', "its element 1 has no name"],
];
for (const [text, expected] of faults) {
  test(`${JSON.stringify(text)} is ${expected === undefined ? "right" : "told to be wrong"}`, () =>
    assert.is(networkSelectionFault({ [NETWORKS_ANNOTATION]: text }), expected));
}

test("without the annotation no network is asked for", () => assert.equal(readNetworkSelection(undefined, "shop"), []));

test.run();
