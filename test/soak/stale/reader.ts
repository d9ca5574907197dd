import type { DataSource } from 'typeorm';
import { hostTime } from '../../../lib/locks/drivers/file.host-process.js';
import type { Random } from '../../differential/random.js';
import { Item } from './entities.js';
import { type FromWorker, ITEMS, type Read, SHELVES } from './protocol.js';

const ALL: readonly (readonly [Read['kind'], number])[] = [
  ...Array.from({ length: ITEMS }, (_, of) => ['item', of] as const),
  ...Array.from({ length: SHELVES }, (_, of) => ['shelf', of] as const),
  ['sum', 0],
];
/** Reads that begin together, and may share a load. */
const AT_ONCE = 6;

/** Reads through the cache, and tells what it was given and when. */
export class Reader {
  constructor(
    private readonly dataSource: DataSource,
    private readonly random: Random,
    private readonly tell: (message: FromWorker) => Promise<void>,
  ) {}

  async some(): Promise<void> {
    await this.readTogether(Array.from({ length: AT_ONCE }, () => this.random.pick(ALL)));
  }

  async all(): Promise<void> {
    await this.readTogether(ALL);
    await this.tell({ is: 'all read' });
  }

  private async readTogether(chosen: typeof ALL): Promise<void> {
    const reads = await Promise.all(chosen.map(([kind, of]) => this.read(kind, of)));
    await this.tell({ is: 'reads', reads: reads.filter((read) => read !== undefined) });
  }

  private async read(kind: Read['kind'], of: number): Promise<Read | undefined> {
    const from = hostTime();
    try {
      const { seen, sum } = await this.query(kind, of);
      return { kind, of, from, to: hostTime(), seen, sum };
    } catch (error) {
      await this.tell({ is: 'read failed', error: String(error) });
      return undefined;
    }
  }

  private async query(kind: Read['kind'], of: number): Promise<Pick<Read, 'seen' | 'sum'>> {
    const items = this.dataSource.getRepository(Item);
    if (kind === 'sum') return { seen: [], sum: Number(await items.sum('version')) };
    const found = kind === 'item' ? [await items.findOneBy({ id: of })] : await items.findBy({ shelf: of });
    return { seen: found.flatMap((item) => (item ? [[item.id, item.version] as const] : [])), sum: 0 };
  }
}
