import type { LockWatch } from '../../locks/lock-driver.interface.js';
import { testGlobals } from '../globals.js';
import type { LockHarness } from './harness.js';

/** A watch, and how often it was told something. */
class Watching {
  readonly watch: LockWatch;
  told = 0;

  constructor(harness: LockHarness, names: readonly string[]) {
    const { driver } = harness;
    if (!driver.watch) throw new Error('a driver with wakeUp "notice" has watch');
    this.watch = driver.watch(names, () => this.told++);
  }

  /** Watches, and is told from now on. */
  static async up(harness: LockHarness, ...names: readonly string[]): Promise<Watching> {
    const watching = new Watching(harness, names);
    while (!watching.watch.isUp) await turn();
    return watching;
  }

  /** Resolves when it is told something about what is done now. */
  async during(work: () => Promise<unknown>): Promise<void> {
    const before = this.told;
    await work();
    while (this.told === before) await turn();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** For drivers with `wakeUp: 'notice'`. */
export function noticesContract(harness: LockHarness): void {
  const { it, expect } = testGlobals();
  const itTells = (name: string, body: () => Promise<void>): void =>
    it(name, async () => (harness.driver.capabilities.wakeUp === 'notice' ? body() : undefined));

  it('has watch if it tells that a lock may be free, and only then', async () => {
    const tells = harness.driver.capabilities.wakeUp === 'notice';
    expect(typeof harness.driver.watch === 'function').toBe(tells);
  });

  itTells('tells all who watch that a lock was released, from any connection', async () => {
    const watching = [await Watching.up(harness, 'a'), await Watching.up(harness, 'b', 'a')];
    for (const driver of [harness.driver, harness.other]) {
      const lease = await harness.hold('a');
      await Promise.all(watching.map((each) => each.during(() => driver.release(lease))));
    }
    for (const { watch } of watching) watch.close();
  });

  itTells('tells that a lease was shortened', async () => {
    const lease = await harness.hold('a');
    const watching = await Watching.up(harness, 'a');
    await watching.during(() => harness.other.renew([{ ...lease, ttl: harness.short }]));
    watching.watch.close();
  });

  itTells('tells nothing to those who have closed their watch, and others all the same', async () => {
    const [closed, open] = [await Watching.up(harness, 'a'), await Watching.up(harness, 'a')];
    closed.watch.close();
    const { told } = closed;
    const lease = await harness.hold('a');
    await open.during(() => harness.driver.release(lease));
    expect(closed.told).toBe(told);
    open.watch.close();
    const again = await Watching.up(harness, 'a');
    const next = await harness.hold('a');
    await again.during(() => harness.driver.release(next));
    again.watch.close();
  });
}
