import { STAMP_LENGTH, type Stamp } from '../core/stamp.js';
import { EVERYTHING, rowsToken, type Token, tableToken } from '../core/token.js';
import type { CacheDriver, TokenState } from '../drivers/cache-driver.interface.js';
import { testGlobals } from './globals.js';

/** One driver under test, with an empty backend of its own. */
export interface CacheDriverSubject {
  readonly driver: CacheDriver;
  /** Lets this much time pass for the backend; a backend that cannot be told waits. */
  elapse(ms: number): Promise<void>;
  /** Called after each test; the suite has closed nothing. */
  dispose(): Promise<void>;
}

export interface CacheDriverContract {
  create(): Promise<CacheDriverSubject>;
}

const TTL = 60_000;
/** Short enough to be waited for, long enough not to run out under the test that needs it. */
const SHORT = 150;
const TABLE = 'shop.item';
const SHAPE = { columns: ['a'], reads: '*' } as const;
const ROWS = rowsToken(TABLE, SHAPE, ['1']);
const TOKENS: readonly Token[] = [EVERYTHING, tableToken(TABLE), ROWS];

const isStamp = (state: TokenState): state is Stamp => state !== undefined && state !== 'pending';

/**
 * Declares the tests that every `CacheDriver` has to pass: each sentence of the port's documentation is one of them.
 * Call it at the top of a spec file.
 */
export function cacheDriverContract(name: string, contract: CacheDriverContract): void {
  const { describe, it, expect, beforeEach, afterEach } = testGlobals();

  describe(`CacheDriver contract: ${name}`, () => {
    let subject: CacheDriverSubject;
    let driver: CacheDriver;

    beforeEach(async () => {
      subject = await contract.create();
      driver = subject.driver;
    });
    afterEach(() => subject.dispose());

    const pin = (tokens: readonly Token[] = TOKENS, shapes: readonly string[] = [], ttl = TTL) =>
      driver.pin({ tokens, shapes: shapes.map((shape) => ({ table: TABLE, shape })), ttl });
    const pinned = async (tokens: readonly Token[] = TOKENS, ttl = TTL): Promise<Stamp[]> =>
      (await pin(tokens, [], ttl)).filter(isStamp);
    const states = async (tokens: readonly Token[] = TOKENS) => (await driver.read('', tokens)).states;
    const store = (key: string, text: string, stamps: readonly Stamp[], tokens = TOKENS, ttl = TTL) =>
      driver.write({ key, entry: Buffer.from(text), tokens, stamps, ttl });
    const pend = (writer: string, tokens: readonly Token[], version?: string, ttl = TTL) =>
      driver.pend({
        writer,
        tokens,
        registries: new Map(version === undefined ? [] : [[TABLE, version]]),
        ttl,
      });
    const settle = (writer: string, tokens: readonly Token[], tables: readonly string[] = []) =>
      driver.settle({ writer, tokens, tables });
    const version = async () => (await driver.registries([TABLE])).get(TABLE)?.version;
    const shapes = async () => [...((await driver.registries([TABLE])).get(TABLE)?.shapes ?? [])].sort();

    describe('read', () => {
      it('reports nothing about what was never written', async () => {
        expect(await driver.read('none', TOKENS)).toEqual({
          entry: undefined,
          states: [undefined, undefined, undefined],
        });
      });

      it('returns the entry and the states in the order asked for', async () => {
        const stamps = await pinned();
        await store('k', 'value', stamps);
        const reply = await driver.read('k', [ROWS, 'g:none', EVERYTHING]);
        expect(reply.entry?.toString()).toBe('value');
        expect(reply.states).toEqual([stamps[2], undefined, stamps[0]]);
      });

      it('works without tokens', async () => {
        expect(await driver.read('none', [])).toEqual({ entry: undefined, states: [] });
      });

      it('returns every byte as it was stored', async () => {
        const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
        const stamps = await pinned();
        await driver.write({ key: 'bytes', entry: bytes, tokens: TOKENS, stamps, ttl: TTL });
        expect((await driver.read('bytes', [])).entry?.equals(bytes)).toBe(true);
      });

      it('keeps its own copy of the entry', async () => {
        const bytes = Buffer.from('before');
        await driver.write({ key: 'copy', entry: bytes, tokens: [], stamps: [], ttl: TTL });
        bytes.fill('x');
        expect((await driver.read('copy', [])).entry?.toString()).toBe('before');
      });

      it('stores an empty entry', async () => {
        expect(
          await driver.write({ key: 'empty', entry: Buffer.alloc(0), tokens: [], stamps: [], ttl: TTL }),
        ).toBe(true);
        expect((await driver.read('empty', [])).entry?.length).toBe(0);
      });
    });

    describe('pin', () => {
      it('stamps what has no stamp, with different stamps', async () => {
        const stamps = await pinned();
        expect(stamps.length).toBe(3);
        for (const stamp of stamps) expect(stamp.length).toBe(STAMP_LENGTH);
        expect(new Set(stamps).size).toBe(3);
        expect(await states()).toEqual(stamps);
      });

      it('keeps a stamp that is there', async () => {
        const stamps = await pinned();
        expect(await pin()).toEqual(stamps);
      });

      it('reports a marked token as pending and does not stamp it', async () => {
        await pend('w', [ROWS]);
        const [, , rows] = await pin();
        expect(rows).toBe('pending');
        expect((await states())[2]).toBe('pending');
      });

      it('registers shapes', async () => {
        await pin(TOKENS, ['a', 'b|id']);
        expect(await shapes()).toEqual(['a', 'b|id']);
      });

      it('registers the shape without columns', async () => {
        await pin(TOKENS, ['']);
        expect(await shapes()).toEqual(['']);
      });

      it('changes the version exactly when the set of shapes changes', async () => {
        await pin(TOKENS, ['a']);
        const first = await version();
        await pin(TOKENS, ['a']);
        expect(await version()).toBe(first);
        await pin(TOKENS, ['a', 'b']);
        expect((await version()) === first).toBe(false);
        expect(await shapes()).toEqual(['a', 'b']);
      });

      it('restamps the table when it creates the registry, and only then', async () => {
        const before = await pinned();
        const created = await pin(TOKENS, ['a']);
        expect(created[0]).toBe(before[0]);
        expect(created[1] === before[1]).toBe(false);
        expect(isStamp(created[1])).toBe(true);
        expect(created[2]).toBe(before[2]);
        expect((await pin(TOKENS, ['b']))[1]).toBe(created[1]);
      });

      it('restamps the table on creation even when the table is not pinned', async () => {
        const [table] = await pinned([tableToken(TABLE)]);
        await pin([EVERYTHING], ['a']);
        expect((await states([tableToken(TABLE)]))[0] === table).toBe(false);
      });

      it('leaves registries of other tables alone', async () => {
        await pin(TOKENS, ['a']);
        expect((await driver.registries(['shop.items'])).get('shop.items')).toEqual({
          version: '',
          shapes: [],
        });
      });

      it('refuses a new shape while a writer marks the table, and reports all tokens of the table as pending', async () => {
        await pin(TOKENS, ['a']);
        await pend('w', ['g:other'], await version());
        const other = tableToken(`${TABLE}s`);
        const tokens = [...TOKENS, other, `${other}:a=1`, `${tableToken(TABLE)}:`];
        const reply = await pin(tokens, ['a', 'new']);
        expect(reply.map((state) => state === 'pending')).toEqual([false, true, true, false, false, true]);
        expect(await shapes()).toEqual(['a']);
      });

      it('refuses the first shape of a table that a writer marks', async () => {
        await pend('w', [], '');
        expect((await pin(TOKENS, ['a']))[2]).toBe('pending');
        expect(await version()).toBe('');
      });

      it('accepts a known shape while a writer marks the table', async () => {
        const [everything] = await pin(TOKENS, ['a']);
        await pend('w', ['g:other'], await version());
        const reply = await pin(TOKENS, ['a']);
        expect(reply[0]).toBe(everything);
        expect(isStamp(reply[2])).toBe(true);
      });

      it('accepts new shapes again after the writer settled', async () => {
        await pend('w', [], '');
        await settle('w', [], [TABLE]);
        expect(isStamp((await pin(TOKENS, ['a']))[2])).toBe(true);
        expect(await shapes()).toEqual(['a']);
      });

      it('accepts new shapes again after the mark on the table ran out', async () => {
        await pend('w', [], '', SHORT);
        await subject.elapse(SHORT + 50);
        expect(isStamp((await pin(TOKENS, ['a']))[2])).toBe(true);
      });

      it('makes a stamp outlive the entries that pin it', async () => {
        const [stamp] = await pinned(['g:x'], SHORT);
        await store('k', 'v', [stamp as Stamp], ['g:x'], SHORT);
        await subject.elapse(SHORT + 50);
        const reply = await driver.read('k', ['g:x']);
        expect(reply.entry).toBe(undefined);
        expect(reply.states).toEqual([stamp]);
      });
    });

    describe('write', () => {
      it('refuses when a token was restamped, and leaves the old entry', async () => {
        const stamps = await pinned();
        await store('k', 'old', stamps);
        await driver.restamp([ROWS]);
        expect(await store('k', 'new', stamps)).toBe(false);
        await pinned();
        expect(await store('k', 'new', stamps)).toBe(false);
        expect((await driver.read('k', [])).entry?.toString()).toBe('old');
      });

      it('refuses when a token is pending', async () => {
        const stamps = await pinned();
        await pend('w', [ROWS]);
        expect(await store('k', 'v', stamps)).toBe(false);
        expect((await driver.read('k', [])).entry).toBe(undefined);
      });

      it('refuses a stamp that is spelled like a state', async () => {
        await pend('w', ['g:x']);
        expect(await store('k', 'v', ['pending'], ['g:x'])).toBe(false);
        expect(await store('k', 'v', ['undefined'], ['g:none'])).toBe(false);
      });

      it('refuses when a stamp is not given', async () => {
        expect(await store('k', 'v', [], ['g:none'])).toBe(false);
        await pinned(['g:x']);
        expect(await store('k', 'v', [], ['g:x'])).toBe(false);
      });

      it('replaces an entry', async () => {
        const stamps = await pinned();
        await store('k', 'old', stamps);
        expect(await store('k', 'new', stamps)).toBe(true);
        expect((await driver.read('k', [])).entry?.toString()).toBe('new');
      });

      it('lets the entry expire', async () => {
        await store('k', 'v', await pinned(), TOKENS, SHORT);
        await subject.elapse(SHORT + 50);
        expect((await driver.read('k', [])).entry).toBe(undefined);
      });

      it('refuses what was pinned before a mark that has run out', async () => {
        const stamps = await pinned();
        await pend('w', [ROWS], undefined, SHORT);
        await subject.elapse(SHORT + 50);
        expect(await store('k', 'v', stamps)).toBe(false);
      });
    });

    describe('pend', () => {
      it('marks the tokens', async () => {
        await pinned();
        expect(await pend('w', [ROWS])).toBe(undefined);
        expect((await states()).map((state) => state === 'pending')).toEqual([false, false, true]);
      });

      it('takes the version "" for a table without registry', async () => {
        expect(await pend('w', [ROWS], '')).toBe(undefined);
        expect((await states())[2]).toBe('pending');
      });

      it('takes the current version', async () => {
        await pin(TOKENS, ['a']);
        expect(await pend('w', [ROWS], await version())).toBe(undefined);
        expect((await states())[2]).toBe('pending');
      });

      it('marks nothing and returns all registries when one differs', async () => {
        await pin(TOKENS, ['a', 'b']);
        const stamps = await states();
        const reply = await driver.pend({
          writer: 'w',
          tokens: [ROWS],
          registries: new Map([
            ['none', ''],
            [TABLE, ''],
          ]),
          ttl: TTL,
        });
        expect(reply?.get('none')).toEqual({ version: '', shapes: [] });
        expect(reply?.get(TABLE)?.version).toBe(await version());
        expect([...(reply?.get(TABLE)?.shapes ?? [])].sort()).toEqual(['a', 'b']);
        expect(await states()).toEqual(stamps);
        expect((await pin(TOKENS, ['c']))[2]).toBe(stamps[2]);
      });

      it('answers a version of a registry that is gone', async () => {
        const reply = await pend('w', [ROWS], 'bygone');
        expect(reply?.get(TABLE)).toEqual({ version: '', shapes: [] });
        expect((await states())[2]).toBe(undefined);
      });

      it('lets marks run out: the stamp is gone, not back', async () => {
        const before = await pinned();
        await pend('w', [ROWS], undefined, SHORT);
        await subject.elapse(SHORT + 50);
        expect((await states())[2]).toBe(undefined);
        expect((await pin())[2] === before[2]).toBe(false);
      });

      it('keeps a token pending until the last of several marks runs out', async () => {
        await pend('long', [ROWS]);
        await pend('short', [ROWS], undefined, SHORT);
        await subject.elapse(SHORT + 50);
        expect((await states())[2]).toBe('pending');
      });
    });

    describe('settle', () => {
      it('removes the mark; the next reader pins a new stamp', async () => {
        const before = await pinned();
        await pend('w', [ROWS]);
        await settle('w', [ROWS]);
        expect((await states())[2]).toBe(undefined);
        const after = await pin();
        expect(isStamp(after[2]) && after[2] !== before[2]).toBe(true);
      });

      it('keeps the marks of other writers', async () => {
        await pend('w1', [ROWS]);
        await pend('w2', [ROWS]);
        await settle('w1', [ROWS]);
        expect((await states())[2]).toBe('pending');
        await settle('w2', [ROWS]);
        expect((await states())[2]).toBe(undefined);
      });

      it('forgets marks that ran out meanwhile', async () => {
        await pend('dead', [ROWS], undefined, SHORT);
        await pend('alive', [ROWS]);
        await subject.elapse(SHORT + 50);
        await settle('alive', [ROWS]);
        expect((await states())[2]).toBe(undefined);
      });

      it('lets the remaining marks run out when they would have', async () => {
        await pend('long', [ROWS]);
        await pend('short', [ROWS], undefined, SHORT);
        await settle('long', [ROWS]);
        expect((await states())[2]).toBe('pending');
        await subject.elapse(SHORT + 50);
        expect((await states())[2]).toBe(undefined);
      });

      it('takes the stamp away when the mark was lost', async () => {
        const stamps = await pinned();
        await store('k', 'v', stamps);
        await settle('w', [ROWS]);
        expect((await states()).slice(0, 2)).toEqual(stamps.slice(0, 2));
        expect((await states())[2]).toBe(undefined);
      });

      it('restamps the table when the mark on it was lost, because unknown shapes may have come', async () => {
        await pend('w', [ROWS], '', SHORT);
        await subject.elapse(SHORT + 50);
        const [, table] = await pin(TOKENS, ['a']);
        await settle('w', [ROWS], [TABLE]);
        expect((await states())[1] === table).toBe(false);
      });

      it('leaves the stamp of the table alone when the mark on it held', async () => {
        await pin(TOKENS, ['a']);
        const before = await states();
        await pend('w', [ROWS], await version());
        await settle('w', [ROWS], [TABLE]);
        expect((await states()).slice(0, 2)).toEqual(before.slice(0, 2));
      });

      it('keeps the marks of other writers on the table', async () => {
        await pend('w1', [], '');
        await pend('w2', [], '');
        await settle('w1', [], [TABLE]);
        expect((await pin(TOKENS, ['a']))[2]).toBe('pending');
      });

      it('tells writers apart whatever their names', async () => {
        await pend('a,b:1!', [ROWS]);
        await pend('a', [ROWS]);
        await settle('a', [ROWS]);
        expect((await states())[2]).toBe('pending');
        await settle('a,b:1!', [ROWS]);
        expect((await states())[2]).toBe(undefined);
      });

      it('can be repeated', async () => {
        await pend('w', [ROWS], '');
        await settle('w', [ROWS], [TABLE]);
        await settle('w', [ROWS], [TABLE]);
        expect((await states())[2]).toBe(undefined);
      });
    });

    describe('restamp', () => {
      it('takes the stamps away', async () => {
        const before = await pinned();
        await driver.restamp([ROWS, 'g:none']);
        expect(await states()).toEqual([before[0], before[1], undefined]);
        expect((await pin())[2] === before[2]).toBe(false);
      });

      it('leaves marks', async () => {
        await pend('w', [ROWS]);
        await driver.restamp([ROWS]);
        expect((await states())[2]).toBe('pending');
      });

      it('takes many tokens', async () => {
        const tokens = Array.from({ length: 10_000 }, (_, i) => `g:${i}`);
        await pin(tokens);
        await driver.restamp(tokens);
        expect((await states(tokens)).every((state) => state === undefined)).toBe(true);
      });
    });

    describe('registries', () => {
      it('answers for every table asked for, also for none', async () => {
        await pin(TOKENS, ['a']);
        const reply = await driver.registries(['none', TABLE]);
        expect([...reply.keys()]).toEqual(['none', TABLE]);
        expect(reply.get('none')).toEqual({ version: '', shapes: [] });
        expect(reply.get(TABLE)?.shapes).toEqual(['a']);
        expect((await driver.registries([])).size).toBe(0);
      });

      it('does not take a mark for a registry', async () => {
        await pend('w', [], '');
        expect((await driver.registries([TABLE])).get(TABLE)).toEqual({ version: '', shapes: [] });
      });
    });

    describe('delete', () => {
      it('removes entries and counts those that were there', async () => {
        const stamps = await pinned();
        await store('a', '1', stamps);
        await store('b', '2', stamps);
        expect(await driver.delete(['a', 'b', 'c'])).toBe(2);
        expect((await driver.read('a', [])).entry).toBe(undefined);
        expect(await driver.delete([])).toBe(0);
      });

      it('does not touch stamps', async () => {
        const stamps = await pinned();
        await driver.delete(['*', ROWS]);
        expect(await states()).toEqual(stamps);
      });
    });

    it('does nothing when asked for nothing', async () => {
      expect(await driver.pin({ tokens: [], shapes: [], ttl: TTL })).toEqual([]);
      expect(await driver.pend({ writer: 'w', tokens: [], registries: new Map(), ttl: TTL })).toBe(undefined);
      await driver.settle({ writer: 'w', tokens: [], tables: [] });
      await driver.restamp([]);
    });

    it('keeps keys and tokens of any text apart', async () => {
      const odd = ['g:a b', 'g:a\nb', 'g:ü', 'g:{x}', 'g:*', 'g:a:b,c!'];
      const stamps = await pinned(odd);
      expect(new Set(stamps).size).toBe(odd.length);
      await driver.restamp(['g:*']);
      expect((await states(odd)).filter((state) => state === undefined).length).toBe(1);
      await store('k\n1', 'one', [], []);
      await store('k\n2', 'two', [], []);
      expect((await driver.read('k\n1', [])).entry?.toString()).toBe('one');
    });

    it('orders operations that are started together', async () => {
      const stamps = await pinned();
      const [, stored] = await Promise.all([driver.restamp([ROWS]), store('k', 'v', stamps)]);
      expect(stored).toBe(false);
    });
  });
}
