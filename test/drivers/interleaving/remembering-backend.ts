import { backendOf, callKey, callText, carryOut, type Method, replyOf } from './calls.js';
import {
  type Content,
  Contents,
  hide,
  type Named,
  namesFor,
  newName,
  numberOf,
  type Outcome,
  show,
} from './contents.js';
import type { ExplorableBackend, Reached, Saved } from './explore.js';
import { type Backend, copyWorld, newWorld, type Scenario, type World } from './world.js';

/** A backend with a real driver. */
export interface RealBackend extends Backend {
  /** Gets it to hold that content. @returns the names of the stamps in it */
  load(content: Content, contents: Contents): Promise<readonly string[]>;
  /** Text of all that the driver holds. */
  dump(): Promise<string>;
}

/** One in so many calls whose outcome is known is made again all the same, and must come out the same. */
const AGAIN = 1_000;

/**
 * What a call does depends on nothing but what the driver holds and what it is called with; and not on the names of
 * stamps, which are compared for equality only. So the real driver is called once for each content and call: there are
 * hundreds of times fewer of them than there are steps of worlds.
 */
export class RememberingBackend implements ExplorableBackend {
  readonly driver: Backend['driver'];
  readonly evictToken: Backend['evictToken'];
  readonly evictRegistry: Backend['evictRegistry'];
  readonly evictLease: Backend['evictLease'];
  readonly expireMarks: Backend['expireMarks'];
  /** Calls of the real driver. */
  made = 0;
  readonly #contents = new Contents();
  #empty: Named | undefined;
  #now: Named | undefined;
  #remembered = 0;

  constructor(private readonly real: RealBackend) {
    const all = backendOf((method, args) => this.#call(method, args));
    this.driver = all.driver;
    this.evictToken = all.evictToken;
    this.evictRegistry = all.evictRegistry;
    this.evictLease = all.evictLease;
    this.expireMarks = all.expireMarks;
  }

  async restore({ world, saved }: Reached, scenario: Scenario): Promise<World> {
    this.#now = saved as Named | undefined;
    return saved === undefined ? newWorld(scenario) : copyWorld(world);
  }

  async save(): Promise<Saved> {
    const now = await this.#here();
    const id = (...swaps: [boolean, boolean]): number => this.#contents.id(now.content, ...swaps);
    return { saved: now, names: now.names, id };
  }

  async #call(method: Method, args: readonly unknown[]): Promise<unknown> {
    const { content, names: known } = await this.#here();
    const names = [...known];
    const key = hide(`${method}${callKey(args)}`, names);
    let outcome = content.outcomes.get(key);
    if (outcome === undefined || ++this.#remembered % AGAIN === 0) {
      const made = await this.#make(content, hide(callText(method, args), names), names.length);
      if (outcome !== undefined && textOf(made) !== textOf(outcome))
        throw new Error(`${key} on ${content.text}: ${textOf(made)}, not ${textOf(outcome)}`);
      outcome ??= made;
      content.outcomes.set(key, outcome);
    }
    for (let i = 0; i < outcome.fresh; i++) names.push(newName());
    this.#now = { content: outcome.content, names: outcome.names.map((number) => names[number] as string) };
    return replyOf(method, show(outcome.reply, names));
  }

  /** @param given number of names in the content and the call */
  async #make(content: Content, call: string, given: number): Promise<Outcome> {
    this.made++;
    const names = namesFor(call, await this.real.load(content, this.#contents));
    const reply = hide(await carryOut(show(call, names), this.real), names);
    const after = this.#contents.named(await this.real.dump(), { from: content, call });
    const numbers = after.names.map((name) => numberOf(name, names));
    return { content: after.content, names: numbers, fresh: names.length - given, reply };
  }

  async #here(): Promise<Named> {
    this.#empty ??= await this.#nothing();
    return (this.#now ??= this.#empty);
  }

  async #nothing(): Promise<Named> {
    return this.#contents.named(await this.real.dump(), undefined);
  }
}

const textOf = ({ content, names, fresh, reply }: Outcome): string =>
  `${content.text} ${names} ${fresh} ${reply}`;
