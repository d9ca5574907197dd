import { setTimeout as sleep } from 'node:timers/promises';
import { hostTime } from '../../../lib/locks/drivers/file.host-process.js';
import type { Random } from '../../differential/random.js';
import type { Amnesia as Cause, Backend, BackendKind } from './backends.js';
import type { Amnesia } from './judge.js';
import type { Workers } from './workers.js';

/** Between two troubles. */
const CALM_MS = [100, 600] as const;
const LONGEST_SHIFT_MS = 86_400_000;
/** From one end to the other it is less than the hour for which Redis remembers a name. */
const LONGEST_SET_MS = 1_500_000;
/** A server that crashes all the time, or forgets each lease, serves nobody. */
const BETWEEN_MS: Readonly<Record<Cause, number>> = { crashed: 4_000, set: 2_000 };

/** `shifted`: a process is lied to about the time; `set`: the clock of the server is, or of the machine. */
type Trouble = 'killed' | 'stopped' | 'shifted' | Cause;

/** What is done to the processes of a soak and to the server of their locks. */
export class Troubles {
  readonly counts = new Map<Trouble, number>();
  readonly amnesias: Amnesia[] = [];
  /** By how much the clock of the server is ahead. */
  private ahead = 0;
  private readonly nextAt = { crashed: hostTime() + BETWEEN_MS.crashed / 2, set: hostTime() };

  constructor(
    private readonly workers: Workers,
    private readonly backend: Backend,
    private readonly kind: BackendKind,
    private readonly random: Random,
  ) {}

  async make(seconds: number): Promise<void> {
    const end = hostTime() + seconds * 1_000;
    while (hostTime() < end) {
      await sleep(CALM_MS[0] + this.random.below(CALM_MS[1] - CALM_MS[0]));
      const trouble = this.random.weighted<Trouble>([
        [3, 'stopped'],
        [2, 'killed'],
        [1, 'shifted'],
        [this.backend.restart && this.isTimeFor('crashed') ? 4 : 0, 'crashed'],
        [this.isTimeFor('set') ? 2 : 0, 'set'],
      ]);
      this.counts.set(trouble, (this.counts.get(trouble) ?? 0) + 1);
      if (trouble === 'crashed' || trouble === 'set') await this.disturb(trouble);
      else this.bother(trouble, this.random.below(this.workers.count));
    }
    // Leases that have been granted while it was ahead would outlast the soak.
    await this.remember('set', () => this.backend.clock.set(2 * LONGEST_SET_MS + this.ahead));
  }

  private isTimeFor(cause: Cause): boolean {
    return hostTime() > this.nextAt[cause];
  }

  private bother(trouble: 'killed' | 'stopped' | 'shifted', victim: number): void {
    const { workers, random } = this;
    if (trouble === 'stopped') workers.stop(victim, this.kind.ttl * (1.1 + random.next() * 2));
    else if (trouble === 'killed') workers.kill(victim);
    else {
      workers.tell(victim, { do: 'shift', by: random.below(2 * LONGEST_SHIFT_MS) - LONGEST_SHIFT_MS });
    }
  }

  private async disturb(cause: Cause): Promise<void> {
    await this.remember(cause, () =>
      cause === 'crashed' ? this.backend.restart?.() : this.backend.clock.set(this.nextSetting()),
    );
    this.nextAt[cause] = hostTime() + BETWEEN_MS[cause];
  }

  /** Forward, and back the next time, so that what is in the way of all is not so for long; or only ever forward. */
  private nextSetting(): number {
    const by = this.random.below(LONGEST_SET_MS);
    const isBack = this.kind.mayGoBack && this.ahead > 0;
    this.ahead = isBack ? -by : this.kind.mayGoBack ? by : this.ahead + by;
    return this.ahead;
  }

  private async remember(cause: Cause, disturb: () => unknown): Promise<void> {
    const from = hostTime();
    await disturb();
    if (this.kind.forgetsWhen.includes(cause)) this.amnesias.push({ from, to: hostTime() + this.kind.ttl });
  }
}
