import { Controller, Get, type INestApplication, Injectable, Param } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import request from 'supertest';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import { CacheOpsModule, Lock, LockEntity, LockService } from '../../lib/index.js';

@Entity()
class Parcel {
  @PrimaryColumn()
  id!: number;
  @Column()
  depot!: string;
}

const parcel = (id: number, depot: string): Parcel => Object.assign(new Parcel(), { id, depot });

@Injectable()
class Reports {
  constructor(readonly locks: LockService) {}

  @Lock('report', { onBusy: 'fail' })
  async build(): Promise<string> {
    await this.build().catch((error: Error) => {
      throw error;
    });
    return 'never';
  }

  @Lock(({ args: [a, b] }) => `${String(a)}.${String(b)}`, { onBusy: 'fail' })
  async dynamic(_a: string, _b: string): Promise<readonly string[]> {
    const held = await this.locks.whoHolds('1.2');
    return held.holders.map(({ mode }) => mode);
  }

  @Lock('nightly', { onBusy: 'skip', atLeastFor: '1h' })
  async nightly(): Promise<string | undefined> {
    return 'ran';
  }

  @LockEntity({ onBusy: 'fail' })
  async send(_parcel: Parcel, during: () => unknown = () => undefined): Promise<string> {
    await during();
    return 'sent';
  }

  @LockEntity('depot', { onBusy: 'fail', refresh: false })
  async close(_parcel: Parcel, during: () => unknown): Promise<string> {
    await during();
    return 'closed';
  }
}

@Controller()
class ReportsController {
  constructor(readonly locks: LockService) {}

  @Get('held/:id')
  @Lock(({ args: [id] }) => `route:${String(id)}`, { onBusy: 'fail' })
  first(@Param('id') id: string): string {
    return id;
  }

  @Lock('conflict', { onBusy: 'fail', status: 409 })
  @Get('conflict')
  second(): string {
    return 'free';
  }
}

let app: INestApplication;
let reports: Reports;
beforeEach(async () => {
  const module = await Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot({ type: 'sqljs', entities: [Parcel], synchronize: true }),
      CacheOpsModule.forRoot({
        logger: { log: () => undefined, warn: () => undefined, error: () => undefined },
      }),
    ],
    providers: [Reports],
    controllers: [ReportsController],
  }).compile();
  app = module.createNestApplication();
  await app.init();
  reports = app.get(Reports);
  await app
    .get(DataSource)
    .getRepository(Parcel)
    .save([parcel(1, 'a'), parcel(2, 'a'), parcel(3, 'b')]);
});
afterEach(() => app.close());

const busy = { code: 'LOCK_BUSY' };

describe('@Lock', () => {
  it('runs the method under the lock and keeps its name', async () => {
    await expect(reports.build()).rejects.toMatchObject(busy);
    expect(await reports.locks.tryAcquire('report')).not.toBeNull();
    expect(reports.build.name).toBe('build');
  });

  it('makes the name from the call', async () => {
    expect(await reports.dynamic('1', '2')).toEqual(['exclusive']);
    await reports.locks.acquire('1.2');
    await expect(reports.dynamic('1', '2')).rejects.toMatchObject(busy);
    expect(await reports.dynamic('1', '3')).toEqual(['exclusive']);
  });

  it('skips the method', async () => {
    expect(await reports.nightly()).toBe('ran');
    expect(await reports.nightly()).toBeUndefined();
  });

  it.each([[{ onBusy: 'never' }], [{ status: 500 }]])('refuses %j', (options) => {
    expect(() => Lock('a', options as never)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  });

  it('says when there is no service', async () => {
    const bare = Object.create(Reports.prototype) as Reports;
    await expect(bare.build()).rejects.toMatchObject({ code: 'CONFIG' });
  });
});

describe('@Lock on a route', () => {
  it('answers 423 with Retry-After when the lock is not free', async () => {
    const server = app.getHttpServer() as never;
    await request(server).get('/held/7').expect(200, '7');
    await reports.locks.acquire('route:7', { ttl: '30s' });
    const response = await request(server).get('/held/7').expect(423);
    expect(response.body).toMatchObject({ statusCode: 423, message: 'Locked', error: 'LOCK_BUSY' });
    expect(Number(response.headers['retry-after'])).toBe(30);
    await request(server).get('/held/8').expect(200);
  });

  it('answers 409 where it is told to', async () => {
    const server = app.getHttpServer() as never;
    await request(server).get('/conflict').expect(200, 'free');
    await reports.locks.acquire('conflict');
    await request(server).get('/conflict').expect(409);
  });
});

describe('@LockEntity', () => {
  it('locks the row of its argument, and reads it anew', async () => {
    const stale = parcel(1, 'old');
    await reports.send(stale, async () => {
      expect(stale.depot).toBe('a');
      await expect(reports.send(parcel(1, 'a'))).rejects.toMatchObject(busy);
      expect(await reports.send(parcel(2, 'a'))).toBe('sent');
    });
    expect(await reports.send(parcel(1, 'a'))).toBe('sent');
  });

  it('locks all rows that share a value', async () => {
    await reports.close(parcel(1, 'a'), async () => {
      await expect(reports.close(parcel(2, 'a'), () => undefined)).rejects.toMatchObject(busy);
      expect(await reports.close(parcel(3, 'b'), () => undefined)).toBe('closed');
      expect(await reports.send(parcel(1, 'a'))).toBe('sent');
    });
  });

  it('refuses what is no entity', async () => {
    await expect(reports.send(undefined as never)).rejects.toMatchObject({ code: 'UNKNOWN_ENTITY' });
    await expect(reports.send({ id: 1 } as never)).rejects.toMatchObject({ code: 'UNKNOWN_ENTITY' });
  });
});
