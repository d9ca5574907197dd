// The cases of django-cache-lock's suite that need decorators, entities or transactions, on every driver.
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import { CacheOpsModule, Lock, LockBusyError, LockEntity, LockService } from '../../lib/index.js';
import type { LockDriverSubject } from '../../lib/testing/lock-driver.contract.js';
import { serviceOver } from './services.js';
import { dropSubjects, SUBJECTS } from './subjects/all.js';

@Entity()
class Parcel {
  @PrimaryColumn()
  id!: number;
  @Column()
  depot!: string;
}

@Entity()
class Letter {
  @PrimaryColumn()
  id!: number;
}

type During<T> = () => Promise<T>;

@Injectable()
class Post {
  @Lock(({ args: [a, b] }) => `${String(a)}.${String(b)}`, { onBusy: 'fail' })
  async dynamic<T>(_a: string, _b: string, during: During<T>): Promise<T> {
    return during();
  }

  @LockEntity({ onBusy: 'fail' })
  async send<T>(_parcel: Parcel | Letter, during: During<T>): Promise<T> {
    return during();
  }

  @LockEntity('depot', { onBusy: 'fail', refresh: false })
  async close<T>(_parcel: Parcel, during: During<T>): Promise<T> {
    return during();
  }
}

const parcel = (id: number, depot: string): Parcel => Object.assign(new Parcel(), { id, depot });
const letter = (id: number): Letter => Object.assign(new Letter(), { id });
const nothing = () => Promise.resolve();

afterAll(dropSubjects);

describe.each(SUBJECTS)('CL cases of decorators, entities and transactions on %s', (_, contract) => {
  let subject: LockDriverSubject;
  let app: TestingModule;
  let post: Post;
  let locks: LockService;
  /** Of another process. */
  let others: LockService;

  beforeAll(async () => {
    subject = await contract.create();
    app = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ type: 'sqljs', entities: [Parcel, Letter], synchronize: true }),
        CacheOpsModule.forRoot({
          locks: { driver: () => subject.driver, timeout: '2s' },
          logger: { log: () => undefined, warn: () => undefined, error: () => undefined },
        }),
      ],
      providers: [Post],
    }).compile();
    await app.init();
    post = app.get(Post);
    locks = app.get(LockService);
    others = serviceOver(subject.other);
    const { manager } = app.get(DataSource);
    await manager.save([parcel(1, 'a'), parcel(2, 'a'), parcel(3, 'b'), letter(1)]);
  });
  afterAll(async () => {
    await app.close();
    await others.close();
    await subject.dispose();
  });

  const isFree = async (name: string) => (await others.whoHolds(name)).holders.length === 0;

  it('CL-12: the name of a call is made from its arguments', async () => {
    await post.dynamic('1', '2', async () => {
      expect(await isFree('1.2')).toBe(false);
      await expect(post.dynamic('1', '2', nothing)).rejects.toThrow(LockBusyError);
      await post.dynamic('1', '3', nothing);
    });
    expect(await isFree('1.2')).toBe(true);
  });

  it('CL-16: the lock of a row is that of no other row, table, or value; and all are free afterwards', async () => {
    const one = parcel(1, 'a');
    const names = [locks.forEntity(one).name, locks.forEntity(one, 'depot').name];
    await post.send(one, async () => {
      await expect(post.send(parcel(1, 'other object'), nothing)).rejects.toThrow(LockBusyError);
      await post.send(parcel(2, 'a'), nothing);
      await post.send(letter(1), nothing);
      await post.close(parcel(1, 'a'), async () => {
        await expect(post.close(parcel(2, 'a'), nothing)).rejects.toThrow(LockBusyError);
        await post.close(parcel(3, 'b'), nothing);
      });
      // A name of one's own is another lock.
      expect(await locks.using('parcel 1', () => Promise.resolve('done'))).toBe('done');
      expect(await isFree(names[0] as string)).toBe(false);
    });
    for (const name of names) expect(await isFree(name)).toBe(true);
    expect([post.send.name, post.close.name]).toEqual(['send', 'close']);
  });

  it.each([[[]], [['depot']]] as const)(
    'CL-17: a section and a method keep each other out (%j)',
    async (columns) => {
      const method = columns.length === 0 ? post.send.bind(post) : post.close.bind(post);
      await locks.forEntity(parcel(1, 'a'), ...columns).using({ refresh: false }, async () => {
        const again = locks.forEntity(parcel(1, 'a'), ...columns);
        expect(await again.tryAcquire({ refresh: false })).toBeNull();
        await expect(method(parcel(1, 'a'), nothing)).rejects.toThrow(LockBusyError);
      });
      await method(parcel(1, 'a'), nothing);
    },
  );

  it('CL-18: the row is read anew under its lock, unless it is told not to be', async () => {
    const stale = () => parcel(3, 'stale');
    const [read, unread, sent, closed] = [stale(), stale(), stale(), stale()];
    await locks.forEntity(read).using(() => undefined);
    await locks.forEntity(unread).using({ refresh: false }, () => undefined);
    await post.send(sent, nothing);
    await post.close(closed, nothing);
    expect([read, unread, sent, closed].map(({ depot }) => depot)).toEqual(['b', 'stale', 'b', 'stale']);
  });

  it.each([
    ['given', 'committed'],
    ['given', 'rolled back'],
    ['around the call', 'committed'],
    ['around the call', 'rolled back'],
  ])('CL-X04: is released when the transaction %s was %s, not before', async (which, end) => {
    const transaction = app.get(DataSource).transaction(async (manager) => {
      const releaseAfterCommit = which === 'given' ? manager : true;
      await locks.using('tx', { releaseAfterCommit }, () => manager.update(Letter, 1, { id: 1 }));
      expect(await isFree('tx')).toBe(false);
      if (end === 'rolled back') throw new Error('rolled back');
    });
    await transaction.catch(() => undefined);
    const next = await others.acquire('tx');
    expect(await next.release()).toBe('released');
  });
});
