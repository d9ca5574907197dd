import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { CacheOpsError } from '../../cacheops.errors.js';
import { type Holder, HolderSet } from './holder-set.js';
import type { LockRecord, LockRecords, LockRecordsRead } from './record-lock-driver.js';
import { FileRegister, type RegisterValue } from './file.register.js';
import { type HostProcess, hostTime, isGone, ownProcess } from './file.host-process.js';

/** A lease as it is written. */
interface StoredLease extends Holder {
  readonly owner: string;
  readonly process: HostProcess;
}

interface Stored {
  /** For whoever looks into the file. */
  readonly name: string;
  readonly lastToken: number;
  readonly leases: readonly StoredLease[];
}

export interface FileRecord extends LockRecord {
  readonly register: FileRegister;
  readonly value: RegisterValue;
  readonly stored: Stored;
}

/** Registers that are kept in memory; they can be opened again at any time. */
const MOST_OPEN = 1000;

/** One register a name, in folders named by a hash: names may hold any character. */
export class FileRecords implements LockRecords<FileRecord> {
  private readonly open = new Map<string, FileRegister>();

  constructor(private readonly folder: string) {}

  async read(names: readonly string[]): Promise<LockRecordsRead<FileRecord>> {
    const values = await Promise.all(
      names.map((name) => {
        const register = this.register(name);
        return this.guarded(async () => ({ name, register, value: await register.read() }));
      }),
    );
    const now = hostTime();
    const records = values.map((each): FileRecord => {
      const stored = storedIn(each, now);
      const lock = new HolderSet();
      for (const lease of stored.leases) if (!isGone(lease.process)) lock.holders.set(lease.owner, lease);
      return { ...each, stored, lock, lastToken: stored.lastToken };
    });
    return { now, wallTime: Date.now() * 1000, records };
  }

  replace({ name, register, value, stored, lock }: FileRecord, lastToken: number): Promise<boolean> {
    const leases = [...lock.holders].map(([owner, holder]): StoredLease => {
      const before = stored.leases.find((lease) => lease.owner === owner);
      return { ...holder, owner, process: before?.process ?? ownProcess() };
    });
    // A renewal or release that a failure of power undoes is of no consequence: the holders end with the machine.
    const durable = lastToken > stored.lastToken;
    const next: Stored = { name, lastToken, leases };
    return this.guarded(() => register.replace(value, JSON.stringify(next), durable));
  }

  async close(): Promise<void> {
    this.open.clear();
  }

  private register(name: string): FileRegister {
    let register = this.open.get(name);
    if (!register) {
      const [oldest] = this.open.keys();
      if (this.open.size >= MOST_OPEN && oldest !== undefined) this.open.delete(oldest);
      const folder = createHash('sha256').update(name).digest('hex').slice(0, 32);
      register = new FileRegister(join(this.folder, folder), hostTime);
      this.open.set(name, register);
    }
    return register;
  }

  private async guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw new CacheOpsError('DRIVER', `the locks in ${this.folder} cannot be used`, { cause });
    }
  }
}

function storedIn(
  { name, register, value }: Omit<FileRecord, 'lock' | 'lastToken' | 'stored'>,
  now: number,
): Stored {
  if (value.text === '') return { name, lastToken: 0, leases: [] };
  try {
    const stored = JSON.parse(value.text) as Stored;
    // Written before the machine was started again: nobody of then is left, and the clock has begun anew.
    return value.writtenAt > now ? { ...stored, leases: [] } : stored;
  } catch (cause) {
    const file = join(register.folder, String(value.generation));
    throw new CacheOpsError('DRIVER', `${file} is not what the file lock driver writes`, { cause });
  }
}
