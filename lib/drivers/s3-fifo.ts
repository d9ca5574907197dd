/** What is kept in a cache that evicts: links and marks of the queue it stands in. */
export class FifoNode {
  visited = false;
  queue: FifoQueue | undefined;
  older: FifoNode | undefined;
  newer: FifoNode | undefined;

  /** @param size bytes that it takes, overhead included */
  constructor(
    readonly key: string,
    public size: number,
  ) {}
}

class FifoQueue {
  oldest: FifoNode | undefined;
  newest: FifoNode | undefined;
  bytes = 0;
  length = 0;

  push(node: FifoNode): void {
    node.queue = this;
    node.older = this.newest;
    node.newer = undefined;
    if (this.newest === undefined) this.oldest = node;
    else this.newest.newer = node;
    this.newest = node;
    this.bytes += node.size;
    this.length++;
  }

  remove(node: FifoNode): void {
    if (node.older === undefined) this.oldest = node.newer;
    else node.older.newer = node.newer;
    if (node.newer === undefined) this.newest = node.older;
    else node.newer.older = node.older;
    node.queue = node.older = node.newer = undefined;
    this.bytes -= node.size;
    this.length--;
  }
}

/** Newcomers get a tenth of the room: an entry that is never read again leaves before it pushes out one that is. */
const NEWCOMER_SHARE = 0.1;
const GHOSTS_AT_LEAST = 128;

/**
 * A map that is bounded in bytes. Eviction is S3-FIFO (Yang et al., SOSP '23): a newcomer queue, a main queue where
 * nodes that are read get another round, and the keys of newcomers that left lately. A scan over many keys passes
 * through the newcomer queue and leaves the main queue alone; a read only sets a flag, which is left to the reader.
 */
export class S3Fifo<N extends FifoNode> {
  readonly #nodes = new Map<string, N>();
  readonly #newcomers = new FifoQueue();
  readonly #main = new FifoQueue();
  readonly #ghosts = new Set<string>();
  #evictions = 0;

  /** @param left told of every node that is evicted, deleted or replaced, but not of those that are cleared */
  constructor(private readonly left: (node: N) => void = () => undefined) {}

  get bytes(): number {
    return this.#newcomers.bytes + this.#main.bytes;
  }

  get size(): number {
    return this.#nodes.size;
  }

  keys(): string[] {
    return [...this.#nodes.keys()];
  }

  /** How many nodes had to leave for others so far. */
  get evictions(): number {
    return this.#evictions;
  }

  get(key: string): N | undefined {
    return this.#nodes.get(key);
  }

  /**
   * Adds a node, in the place of the one under its key.
   * @returns false when the node alone is larger than `room` bytes; then the key is empty
   */
  add(node: N, room: number): boolean {
    const known = this.#nodes.get(node.key);
    if (known !== undefined) this.delete(known);
    if (node.size > room) return false;
    this.shrink(room - node.size);
    this.#nodes.set(node.key, node);
    (this.#ghosts.delete(node.key) ? this.#main : this.#newcomers).push(node);
    return true;
  }

  /** @returns false when the node is not in the map (any more) */
  delete(node: N): boolean {
    if (node.queue === undefined) return false;
    node.queue.remove(node);
    this.#nodes.delete(node.key);
    this.left(node);
    return true;
  }

  /** To be called when a node has come to take another size. */
  resize(node: N, size: number): void {
    if (node.queue !== undefined) node.queue.bytes += size - node.size;
    node.size = size;
  }

  /** Evicts until the nodes take at most `room` bytes. */
  shrink(room: number): void {
    while (this.bytes > room && this.#nodes.size > 0) {
      const fromNewcomers =
        this.#newcomers.length > 0 &&
        (this.#newcomers.bytes > room * NEWCOMER_SHARE || this.#main.length === 0);
      if (fromNewcomers) this.#evictNewcomer();
      else this.#evictMain();
    }
  }

  clear(): void {
    this.#nodes.clear();
    this.#ghosts.clear();
    for (const queue of [this.#newcomers, this.#main]) {
      for (let node = queue.oldest; node !== undefined; node = queue.oldest) queue.remove(node);
    }
  }

  /** The oldest newcomer leaves, or moves to the main queue if it was read. */
  #evictNewcomer(): void {
    const node = this.#newcomers.oldest as N;
    if (node.visited) {
      node.visited = false;
      this.#newcomers.remove(node);
      this.#main.push(node);
      return;
    }
    this.#evict(node);
    this.#ghosts.add(node.key);
    const most = Math.max(GHOSTS_AT_LEAST, this.#main.length);
    for (const ghost of this.#ghosts) {
      if (this.#ghosts.size <= most) break;
      this.#ghosts.delete(ghost);
    }
  }

  /** The oldest of the main queue leaves, or goes round once more if it was read. */
  #evictMain(): void {
    const node = this.#main.oldest as N;
    if (!node.visited) return this.#evict(node);
    node.visited = false;
    this.#main.remove(node);
    this.#main.push(node);
  }

  #evict(node: N): void {
    this.#evictions++;
    this.delete(node);
  }
}
