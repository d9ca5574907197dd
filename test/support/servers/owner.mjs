// Names what a test process makes (databases, key prefixes, temporary folders) after that process, so that a
// later run can tell the leftovers of a killed run from the property of one that still works.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

// A server may be shared by several machines or containers, whose process ids mean nothing here.
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 6);

/** When the process began, as an opaque word; undefined when there is no such process. */
export function startOf(pid) {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The second field, the command, may hold blanks and brackets: count from behind it. Start time is field 22.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(fields[19]).toString(36);
    }
    const started = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
    return Date.parse(started).toString(36);
  } catch {
    return undefined;
  }
}

/** A name that no other call gives: `cacheops_<host>_<pid>_<start>_<random>`; fits in 63 characters. */
export function ownedName() {
  return `cacheops_${HOST}_${process.pid}_${startOf(process.pid)}_${randomBytes(5).toString('hex')}`;
}

/** Whether `name` was given by `ownedName` in a process of this machine that is gone. */
export function isStale(name) {
  const match = /^cacheops_([0-9a-f]{6})_(\d+)_([0-9a-z]+)_[0-9a-f]{10}$/.exec(name);
  return match !== null && match[1] === HOST && startOf(Number(match[2])) !== match[3];
}
