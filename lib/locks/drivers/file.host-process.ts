import { readFileSync, readlinkSync } from 'node:fs';

/** Which process of this machine somebody is; words that are unknown on this platform are empty. */
export interface HostProcess {
  /** Which start of the machine. */
  readonly boot: string;
  /** Whose process ids: containers count their own. */
  readonly namespace: string;
  readonly pid: number;
  /** When the process began: ids are given again. */
  readonly start: string;
}

/** Milliseconds of the monotonic clock that all processes of this machine share. */
export const hostTime = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

let own: HostProcess | undefined;

export function ownProcess(): HostProcess {
  own ??= {
    boot: readWord(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    namespace: readWord(() => readlinkSync('/proc/self/ns/pid')),
    pid: process.pid,
    start: statusOf(process.pid)?.start ?? '',
  };
  return own;
}

/** Whether a process surely has ended. False where that cannot be told. */
export function isGone({ boot, namespace, pid, start }: HostProcess): boolean {
  const here = ownProcess();
  // A word that could not be read, here or there, says nothing.
  if (boot !== here.boot) return boot !== '' && here.boot !== '';
  // An id of another container says nothing here.
  if (namespace !== here.namespace) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true;
  }
  const status = statusOf(pid);
  if (status === undefined) return false;
  return status.ended || (start !== '' && status.start !== '' && status.start !== start);
}

/** @returns `undefined` where the process is not to be seen */
function statusOf(pid: number): { ended: boolean; start: string } | undefined {
  const stat = readWord(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (stat === '') return undefined;
  // The second field, the command, may hold blanks and brackets: count from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie has ended, but its parent has not asked yet.
  return { ended: fields[0] === 'Z' || fields[0] === 'X', start: fields[19] ?? '' };
}

function readWord(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
