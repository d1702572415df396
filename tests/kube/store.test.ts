import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Change, Store } from "../../src/lib/kube/store.ts";

interface Thing {
  readonly metadata: { readonly name: string; readonly resourceVersion: string; readonly uid: string };
}

function thing(name: string, resourceVersion: string, uid = "u"): Thing {
  return { metadata: { name, resourceVersion, uid } };
}

/** A store and what it told, as "type key before>now". */
function watched(): { readonly store: Store<Thing>; readonly told: string[] } {
  const store = new Store<Thing>();
  const told: string[] = [];
  store.subscribe((change) => told.push(say(change)));
  return { store, told };
}

function say(change: Change<Thing>): string {
  const before = change.type === "added" ? "" : change.before.metadata.resourceVersion;
  const now = change.type === "deleted" ? "" : change.now.metadata.resourceVersion;
  return `${change.type} ${change.key} ${before}>${now}`;
}

const test = suite("store");

test("a change tells what was and what is", () => {
  const { store, told } = watched();
  store.put("a", thing("a", "1"));
  store.put("a", thing("a", "2"));
  store.remove("a");
  assert.equal(told, ["added a >1", "updated a 1>2", "deleted a 2>"]);
});

test("a version that is known already, and what was never there, tell nothing", () => {
  const { store, told } = watched();
  store.put("a", thing("a", "1"));
  store.put("a", thing("a", "1"));
  store.remove("b");
  assert.equal(told, ["added a >1"]);
});

test("a whole list tells only how it differs from what is known", () => {
  const { store, told } = watched();
  for (const name of ["same", "changed", "gone"]) store.put(name, thing(name, "1"));
  told.length = 0;
  store.replace(
    new Map([thing("same", "1"), thing("changed", "2"), thing("new", "2")].map((t) => [t.metadata.name, t])),
  );
  assert.equal(told.sort(), ["added new >2", "deleted gone 1>", "updated changed 1>2"]);
  assert.equal([...store.keys()].sort(), ["changed", "new", "same"]);
});

test("an object that was deleted and made anew unnoticed is told as deleted and added", () => {
  const { store, told } = watched();
  store.put("a", thing("a", "1", "first"));
  store.replace(new Map([["a", thing("a", "5", "second")]]));
  assert.equal(told, ["added a >1", "deleted a 1>", "added a >5"]);
});

test("who subscribes later is told of what is there, and of nothing after the end", () => {
  const { store } = watched();
  store.put("a", thing("a", "1"));
  const told: string[] = [];
  const end = store.subscribe((change) => told.push(say(change)));
  store.put("a", thing("a", "2"));
  end();
  store.remove("a");
  assert.equal(told, ["added a >1", "updated a 1>2"]);
});

test.run();
