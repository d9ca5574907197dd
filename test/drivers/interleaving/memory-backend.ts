import type { Token } from '../../../lib/core/token.js';
import type {
  LeaseRequest,
  PendRequest,
  SettleRequest,
} from '../../../lib/drivers/cache-driver.interface.js';
import { MemoryDriver } from '../../../lib/drivers/memory.driver.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { carryOut } from './calls.js';
import { type Content, type Contents, namesFor, show } from './contents.js';
import type { RealBackend } from './remembering-backend.js';
import { ALL_SHAPES, ALL_TOKENS, MARK_TTL, TABLE } from './world.js';

/** Loses single keys, as its own bounds would make it, and tells who has a mark or a lease. */
class OpenMemoryDriver extends MemoryDriver {
  readonly marks = new Map<string, Set<string>>();
  readonly held = new Map<string, string>();

  forgetToken(token: Token): void {
    this.stamps.drop(token);
    this.marks.delete(token);
  }

  forgetRegistry(table: string): void {
    this.tables.drop(table);
    this.marks.delete(table);
  }

  override async pend(request: PendRequest): ReturnType<MemoryDriver['pend']> {
    const differing = await super.pend(request);
    if (differing) return differing;
    for (const place of [...request.registries.keys(), ...request.tokens]) {
      const writers = this.marks.get(place) ?? new Set();
      this.marks.set(place, writers.add(request.writer));
    }
    return undefined;
  }

  override async settle(request: SettleRequest): Promise<void> {
    await super.settle(request);
    for (const place of [...request.tables, ...request.tokens]) {
      const writers = this.marks.get(place);
      if (writers?.delete(request.writer) && writers.size === 0) this.marks.delete(place);
    }
  }

  override async lease(request: LeaseRequest & { readonly ttl: number }): Promise<number> {
    const left = await super.lease(request);
    if (left === 0) this.held.set(request.key, request.owner);
    return left;
  }

  override async unlease(request: LeaseRequest): Promise<void> {
    await super.unlease(request);
    if (this.held.get(request.key) === request.owner) this.held.delete(request.key);
  }
}

/** Gets to a content by making the calls again that led there first, on a fresh driver. */
export class MemoryBackend implements RealBackend {
  #clock = new ManualClock();
  driver = new OpenMemoryDriver({ clock: this.#clock });

  async load(content: Content, contents: Contents): Promise<readonly string[]> {
    const way: NonNullable<Content['origin']>[] = [];
    for (let at = content.origin; at !== undefined; at = at.from.origin) way.push(at);
    this.#clock = new ManualClock();
    this.driver = new OpenMemoryDriver({ clock: this.#clock });
    let names: readonly string[] = [];
    for (const { call } of way.reverse()) {
      await carryOut(show(call, namesFor(call, names)), this);
      ({ names } = contents.named(await this.dump(), undefined));
    }
    return names;
  }

  async dump(): Promise<string> {
    const { marks, held } = this.driver;
    const { states } = await this.driver.read('', ALL_TOKENS);
    const entries: unknown[] = [];
    for (const shape of ALL_SHAPES) entries.push((await this.driver.read(shape, [])).entry?.toString());
    const registry = (await this.driver.registries([TABLE])).get(TABLE);
    const marked = Array.from(marks, ([place, writers]) => `${place} ${[...writers]}`).sort();
    return JSON.stringify([states, entries, registry, marked, [...held].sort()]);
  }

  async evictToken(token: Token): Promise<void> {
    this.driver.forgetToken(token);
  }

  async evictRegistry(table: string): Promise<void> {
    this.driver.forgetRegistry(table);
  }

  async evictLease(key: string, owner: string): Promise<void> {
    await this.driver.unlease({ key, owner });
  }

  async expireMarks(): Promise<void> {
    this.#clock.advance(MARK_TTL + 1);
    this.driver.marks.clear();
  }
}
