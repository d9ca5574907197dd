import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** What a register held at one moment. */
export interface RegisterValue {
  /** 0: nothing was ever written. */
  readonly generation: number;
  /** Empty if nothing was written, or nothing is left of it. */
  readonly text: string;
  /** Host time at which it was written; it was decided upon no later. */
  readonly writtenAt: number;
  /** Host time at which the look began. */
  readonly seenAt: number;
  /** Overtaken generations that are still there. */
  readonly older: readonly number[];
}

/** What one look has found may be replaced for so long. */
const FRESH_MS = 500;
/** Overtaken generations stay for so long. */
const RETENTION_MS = 2 * FRESH_MS;
/** Age from which the draft of a writer that was killed is removed. One that only sleeps makes another. */
const ABANDONED_MS = 60_000;

const GENERATION = /^\d+$/;
const DRAFT = 'draft-';
/** A file whose content never got to the disk. */
const LOST = /^\0*$/;

/**
 * One text on a disk of this machine, which any number of processes read and replace without locking each other out:
 * nobody waits for a process that was stopped or killed, at whatever point.
 *
 * Each text is a file named by the number of its generation; the highest counts. To replace generation n is to `link`
 * a finished draft as n + 1, which the file system does for one writer only. Overtaken files are removed in the end,
 * and then a writer that looked before n + 1 was taken, and slept until it was removed, could take it again: that file
 * would not count, but its writer would think so. Therefore
 *
 * - n is removed RETENTION_MS after a later generation was seen to count, and
 * - a writer whose look is older than FRESH_MS when `link` returns does not trust it, and looks again.
 *
 * For the same reason a listing that takes less than FRESH_MS cannot miss the generation that counted when it began.
 * Times are of the monotonic clock, which the processes of a machine share; a restart of the machine ends all writers.
 */
export class FileRegister {
  private ready: Promise<void> | undefined;
  /** Generations, and when they were seen to count, in the order of time. */
  private seen: { readonly generation: number; readonly at: number }[] = [];

  /** @param now host time in milliseconds: monotonic, the same in all processes of the machine */
  constructor(
    readonly folder: string,
    private readonly now: () => number,
  ) {}

  async read(): Promise<RegisterValue> {
    await (this.ready ??= this.prepare());
    for (;;) {
      const seenAt = this.now();
      const names = await readdir(this.folder);
      const generations = names.filter((name) => GENERATION.test(name)).map(Number);
      generations.sort((a, b) => b - a);
      const [generation = 0] = generations;
      const content = await this.newestOf(generations);
      if (content === undefined || this.now() - seenAt > FRESH_MS) continue;
      const end = content.indexOf('\n');
      return {
        generation,
        text: content.slice(end + 1),
        writtenAt: Number(content.slice(0, end)),
        seenAt,
        older: generations.filter((each) => each < generation),
      };
    }
  }

  /**
   * @param durable whether it must survive a failure of the machine's power
   * @returns false if it is not known that `text` has replaced `value`: look again
   */
  async replace(value: RegisterValue, text: string, durable: boolean): Promise<boolean> {
    const draft = join(this.folder, `${DRAFT}${randomUUID()}`);
    try {
      await write(draft, `${this.now()}\n${text}`, durable);
      await link(draft, join(this.folder, String(value.generation + 1)));
      if (durable) await syncFolder(this.folder);
    } catch (error) {
      // Somebody was faster, or this process slept for so long that its draft was removed.
      if (isCode(error, 'EEXIST') || isCode(error, 'ENOENT')) return false;
      throw error;
    } finally {
      await unlink(draft).catch(() => undefined);
    }
    if (this.now() - value.seenAt > FRESH_MS) return false;
    await this.tidy(value);
    return true;
  }

  private async prepare(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const drafts = (await readdir(this.folder)).filter((name) => name.startsWith(DRAFT));
    for (const draft of drafts) {
      const file = join(this.folder, draft);
      const modified = await stat(file).catch(() => undefined);
      if (modified && Date.now() - modified.mtimeMs > ABANDONED_MS) await unlink(file).catch(() => undefined);
    }
  }

  /**
   * What the highest generation holds, or the highest below it that a failure of the machine's power has left whole:
   * of what was not written through, there may be the name without the content.
   *
   * @returns `undefined` when one was overtaken and removed since it was listed
   */
  private async newestOf(descending: readonly number[]): Promise<string | undefined> {
    for (const generation of descending) {
      const content = await this.contentOf(generation);
      if (content === undefined || !LOST.test(content)) return content;
    }
    return '0\n';
  }

  /** @returns `undefined` when it was overtaken and removed since it was listed */
  private async contentOf(generation: number): Promise<string | undefined> {
    try {
      return await readFile(join(this.folder, String(generation)), 'utf8');
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Removes what may be removed. That it fails is harmless: the next writer tries again. */
  private async tidy({ generation, writtenAt, seenAt, older }: RegisterValue): Promise<void> {
    if (seenAt - (this.seen.at(-1)?.at ?? -Infinity) > RETENTION_MS / 8) {
      // Who wrote a generation had seen the one before it count: so short-lived processes tidy up as well.
      this.seen.push({ generation: generation - 1, at: writtenAt }, { generation, at: seenAt });
    }
    const settled = this.seen.filter(({ at }) => at < seenAt - RETENTION_MS);
    const bound = settled.reduce((a, b) => Math.max(a, b.generation), 0);
    this.seen = [...this.seen.filter((each) => !settled.includes(each))];
    const removable = older.filter((each) => each < bound);
    await Promise.all(
      removable.map((each) => unlink(join(this.folder, String(each))).catch(() => undefined)),
    );
  }
}

async function write(path: string, text: string, durable: boolean): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    if (durable) await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the names in a folder durable. Windows has no such call. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const isCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code;
