/** Sees all that happens to addresses on a node: what the kernel does to interfaces, and what the daemon writes down. */
import type { BlockList } from "node:net";
import * as assert from "uvu/assert";
import { STORE_DIRECTORY } from "./_faults.ts";
import { type AddressHistory, addressHistory, KernelAddresses } from "./_kernel_addresses.ts";
import type { ClusterNode } from "./_node.ts";
import { StoreHistory } from "./_store_history.ts";

export class Witness {
  readonly node: ClusterNode;
  readonly #ours: BlockList;
  readonly #kernel: KernelAddresses;
  #store: StoreHistory;

  private constructor(node: ClusterNode, ours: BlockList, kernel: KernelAddresses) {
    this.node = node;
    this.#ours = ours;
    this.#kernel = kernel;
    this.#store = this.#beginStore();
  }

  /** Begins to look: before the first pod. @param ours the networks of all pools. */
  static async of(node: ClusterNode, ours: BlockList): Promise<Witness> {
    return new Witness(node, ours, await KernelAddresses.watch(node.machine));
  }

  /** Looks no more: before the node is taken down. */
  close(): void {
    this.#store.close();
  }

  /** The addresses that pods' interfaces on these nodes have and had. @throws when two had one address at any instant. */
  static async addresses(...witnesses: readonly [Witness, ...Witness[]]): Promise<AddressHistory> {
    const logs = new Map<string, string>();
    for (const witness of witnesses) logs.set(witness.node.name, await witness.#kernel.read());
    const history = addressHistory(logs, witnesses[0].#ours);
    assert.equal(history.doubles, [], "no two interfaces have one address at any instant");
    return history;
  }

  /** Demands of all that the daemon has written that no address was reserved twice, and goes on. Nothing may change meanwhile. */
  async judgeStore(): Promise<void> {
    try {
      await this.#endStore();
    } finally {
      this.#store = this.#beginStore();
    }
  }

  /** Stops the daemon, has its store's files replaced by those of another store, and starts it. All that was written is judged. */
  async replaceStore<T>(replace: () => Promise<T>): Promise<T> {
    const { ipam } = this.node;
    await ipam.process.end("SIGTERM");
    try {
      await this.#endStore();
      return await replace();
    } finally {
      this.#store = this.#beginStore();
      await ipam.start();
    }
  }

  async #endStore(): Promise<void> {
    const { losses, doubles, held } = await this.#store.end();
    assert.equal(losses, [], "the store's history is whole");
    assert.equal(doubles, [], "no address is reserved twice at any instant");
    const reserved = (await this.node.ipam.reservations()).flatMap(({ addresses }) => addresses).sort();
    assert.equal(held, reserved, "the store's history ends with what is reserved");
  }

  #beginStore(): StoreHistory {
    return new StoreHistory(this.node.machine.path(`${STORE_DIRECTORY}/store`));
  }
}
