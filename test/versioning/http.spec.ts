import {
  Body,
  type CallHandler,
  ClassSerializerInterceptor,
  Controller,
  Delete,
  Get,
  type INestApplication,
  Param,
  ParseIntPipe,
  Patch,
  Post,
  Put,
  SerializeOptions,
  UseInterceptors,
} from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { Exclude, Expose } from 'class-transformer';
import { tap } from 'rxjs';
import request from 'supertest';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, VersionColumn } from 'typeorm';
import {
  CacheOpsModule,
  IfMatch,
  RecordModifiedFilter,
  type RecordVersion,
  VersionedResource,
  VersionTokens,
} from '../../lib/index.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';

@Entity()
class Account {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;

  @Exclude()
  @Column({ default: 'secret' })
  password!: string;

  @Expose({ groups: ['admin'] })
  @Column({ default: 'note' })
  note!: string;

  @VersionColumn()
  version!: number;
}

/** Lets somebody else write while a route runs. */
const between: { run: (() => Promise<unknown>) | undefined } = { run: undefined };

class Accounts {
  constructor(protected readonly dataSource: DataSource) {}

  async change(id: number, changes: object): Promise<Account> {
    const account = await this.dataSource.manager.findOneByOrFail(Account, { id });
    await between.run?.();
    return this.dataSource.manager.save(Object.assign(account, changes));
  }
}

const tokens = new VersionTokens(['a secret of the test']);

@Controller('accounts')
@VersionedResource(Account)
@UseInterceptors(ClassSerializerInterceptor)
class AccountsController extends Accounts {
  constructor(dataSource: DataSource) {
    super(dataSource);
  }

  @Get()
  list(): Promise<Account[]> {
    return this.dataSource.manager.find(Account);
  }

  @Get(':id')
  one(@Param('id', ParseIntPipe) id: number): Promise<Account> {
    return this.dataSource.manager.findOneByOrFail(Account, { id });
  }

  @Post()
  create(@Body() body: object): Promise<Account> {
    return this.dataSource.manager.save(this.dataSource.manager.create(Account, body));
  }

  @Patch(':id')
  patch(@Param('id', ParseIntPipe) id: number, @Body() body: object): Promise<Account> {
    return this.change(id, body);
  }

  @Put(':id')
  async put(@Param('id', ParseIntPipe) id: number, @Body() body: object): Promise<Account> {
    return this.dataSource.manager.save(Account, { id, ...body } as Account);
  }

  @Delete(':id')
  async remove(@Param('id', ParseIntPipe) id: number): Promise<void> {
    await this.dataSource.manager.delete(Account, { id });
  }

  @Patch(':id/required')
  @VersionedResource(Account, { required: true, show: ['name', 'id'] })
  required(@Param('id', ParseIntPipe) id: number, @Body() body: object): Promise<Account> {
    return this.change(id, body);
  }

  @Patch(':id/serialized')
  @VersionedResource(() => Account, { show: 'serialized' })
  serialized(@Param('id', ParseIntPipe) id: number, @Body() body: object): Promise<Account> {
    return this.change(id, body);
  }

  @Patch(':id/admin')
  @SerializeOptions({ groups: ['admin'] })
  @VersionedResource('Account', { show: 'serialized' })
  admin(@Param('id', ParseIntPipe) id: number, @Body() body: object): Promise<Account> {
    return this.change(id, body);
  }

  @Patch(':id/matched')
  async matched(@Param('id', ParseIntPipe) id: number, @IfMatch() version?: RecordVersion): Promise<object> {
    await between.run?.();
    const { affected } = await this.dataSource.manager.update(
      Account,
      { id, ...(version !== undefined && { version: version as number }) },
      { name: `matched ${String(version)}` },
    );
    return { affected };
  }
}

@Controller('plain')
class PlainController extends Accounts {
  constructor(dataSource: DataSource) {
    super(dataSource);
  }

  @Patch(':id')
  patch(@Param('id', ParseIntPipe) id: number, @Body() body: object): Promise<Account> {
    return this.change(id, body);
  }

  @Post(':id/form')
  form(@Param('id') id: string, @Body('token') token: unknown): object {
    return { version: tokens.verify({ entity: 'Account', id }, token) };
  }
}
Reflect.defineMetadata('design:paramtypes', [DataSource], AccountsController);
Reflect.defineMetadata('design:paramtypes', [DataSource], PlainController);

const silent = { log: () => undefined, warn: () => undefined, error: () => undefined };

const PLATFORMS = [
  ['express', 'sqlite'],
  ['express', 'postgres'],
  ['express', 'mariadb'],
  ['fastify', 'sqlite'],
] as const;

describe.each(PLATFORMS)('versions over HTTP, on %s and %s', (platform, kind) => {
  let database: TestDatabase;
  let app: INestApplication;
  let dataSource: DataSource;
  const http = () => request(app.getHttpServer());
  const PROBLEM = /^application\/problem\+json/;

  async function account(): Promise<{ id: number; tag: (version: number) => string }> {
    const { id } = await dataSource.manager.save(Account, { name: 'first' });
    return { id, tag: (version) => `"${id}:${version}"` };
  }
  /** Raw SQL: it stands under no condition of the request. */
  const byAnother = (id: number) => () =>
    dataSource.query(`UPDATE account SET name = 'theirs', version = version + 1 WHERE id = ${id}`);
  const row = (id: number) => dataSource.manager.findOne(Account, { where: { id }, cache: false });

  beforeAll(async () => {
    database = await createDatabase(kind, { entities: [Account], synchronize: true });
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ ...database.options, retryAttempts: 0 }),
        CacheOpsModule.forRoot({ entities: { Account: { ops: 'all' } }, versioning: {}, logger: silent }),
      ],
      controllers: [AccountsController, PlainController],
      providers: [{ provide: APP_FILTER, useClass: RecordModifiedFilter }],
    }).compile();
    const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
    app = module.createNestApplication(adapter as ExpressAdapter, { logger: false });
    await app.init();
    if (platform === 'fastify')
      await (app as unknown as NestFastifyApplication).getHttpAdapter().getInstance().ready();
    dataSource = app.get(getDataSourceToken());
  });
  afterAll(async () => {
    await app?.close();
    await database.drop();
  });
  afterEach(() => (between.run = undefined));

  it('tags a row, with every method, and nothing else', async () => {
    const created = await http().post('/accounts').send({ name: 'new' }).expect(201);
    const { id } = created.body as Account;
    expect(created.headers['etag']).toBe(`"${id}:1"`);
    const read = await http().get(`/accounts/${id}`).expect(200);
    expect(read.headers['etag']).toBe(`"${id}:1"`);
    expect(read.body).toEqual({ id, name: 'new', version: 1 });
    const patched = await http().patch(`/accounts/${id}`).send({ name: 'newer' }).expect(200);
    expect(patched.headers['etag']).toBe(`"${id}:2"`);
    const list = await http().get('/accounts').expect(200);
    expect(list.headers['etag'] ?? 'none').not.toContain(':');
  });

  it('does not vouch for a copy of a response, which may show more than the row', async () => {
    const { id, tag } = await account();
    await http().get(`/accounts/${id}`).set('If-None-Match', tag(1)).expect(200);
  });

  it('If-Match: lets the version through that it names', async () => {
    const { id, tag } = await account();
    const first = await http()
      .patch(`/accounts/${id}`)
      .set('If-Match', tag(1))
      .send({ name: 'a' })
      .expect(200);
    expect(first.headers['etag']).toBe(tag(2));
    await http()
      .patch(`/accounts/${id}`)
      .set('If-Match', `"x", ${tag(2)}`)
      .send({ name: 'b' })
      .expect(200);
    await http().patch(`/accounts/${id}`).set('If-Match', '*').send({ name: 'c' }).expect(200);
    await http().delete(`/accounts/${id}`).set('If-Match', tag(4)).expect(200);
    expect(await row(id)).toBeNull();
  });

  it.each(['patch', 'put', 'delete'] as const)(
    'If-Match: refuses any other version of %s with 412',
    async (method) => {
      const { id, tag } = await account();
      await byAnother(id)();
      for (const condition of [tag(1), `W/${tag(2)}`, '"2"', `"${id + 1}:2"`]) {
        const call = http()[method](`/accounts/${id}`).set('If-Match', condition);
        const { body, headers } = await call.send({}).expect(412);
        expect(headers['content-type']).toMatch(PROBLEM);
        expect(headers['etag']).toBe(tag(2));
        expect(body).toMatchObject({
          type: 'about:blank',
          title: 'Precondition Failed',
          status: 412,
          code: 'RECORD_MODIFIED',
          actual: '2',
        });
        expect(JSON.stringify(body)).not.toMatch(/theirs|secret|Account/);
      }
      expect(await row(id)).toMatchObject({ name: 'theirs', version: 2 });
    },
  );

  it('If-Match: refuses with 412 what changes while the route runs', async () => {
    const { id, tag } = await account();
    between.run = byAnother(id);
    await http().patch(`/accounts/${id}`).set('If-Match', tag(1)).send({ name: 'mine' }).expect(412);
    expect(await row(id)).toMatchObject({ name: 'theirs', version: 2 });
  });

  it('If-Match: guards routes that write without reading', async () => {
    const { id, tag } = await account();
    const put = await http().put(`/accounts/${id}`).set('If-Match', tag(1)).send({ name: 'put' }).expect(200);
    expect(put.headers['etag']).toBe(tag(2));
    await http().put(`/accounts/${id}`).set('If-Match', tag(1)).send({ name: 'again' }).expect(412);
  });

  it('@IfMatch() gives the version to routes that name it themselves', async () => {
    const { id, tag } = await account();
    await http()
      .patch(`/accounts/${id}/matched`)
      .set('If-Match', `"z", ${tag(1)}`)
      .expect(200);
    expect(await row(id)).toMatchObject({ name: 'matched 1', version: 2 });
    await http().patch(`/accounts/${id}/matched`).expect(200);
    expect(await row(id)).toMatchObject({ name: 'matched undefined' });
    between.run = byAnother(id);
    await http().patch(`/accounts/${id}/matched`).set('If-Match', tag(3)).expect(412);
  });

  it('If-Match: is false for a row that is not there, and for text that is no key', async () => {
    await http().patch('/accounts/99999').set('If-Match', '*').send({}).expect(412);
    await http().patch('/accounts/abc').set('If-Match', '*').send({}).expect(412);
    await http().patch('/accounts/abc').send({}).expect(400);
  });

  it('If-None-Match: * is for rows that are not there yet', async () => {
    const { id, tag } = await account();
    const { body } = await http()
      .put(`/accounts/${id}`)
      .set('If-None-Match', '*')
      .send({ name: 'x' })
      .expect(412);
    expect(body).toMatchObject({ code: 'RECORD_MODIFIED', actual: '1' });
    await http().put(`/accounts/${id}`).set('If-None-Match', tag(1)).send({ name: 'x' }).expect(412);
    await http().put('/accounts/77777').set('If-None-Match', '*').send({ name: 'created' }).expect(200);
    // With PostgreSQL, TypeORM leaves the number of a generated key to the database.
    expect(await dataSource.manager.countBy(Account, { name: 'created' })).toBe(1);
  });

  it('answers 409 for a conflict that no condition announced', async () => {
    for (const path of ['accounts', 'plain']) {
      const { id } = await account();
      between.run = byAnother(id);
      const { body, headers } = await http().patch(`/${path}/${id}`).send({ name: 'mine' }).expect(409);
      expect(headers['content-type']).toMatch(PROBLEM);
      expect(body).toEqual({
        type: 'about:blank',
        title: 'Conflict',
        status: 409,
        code: 'RECORD_MODIFIED',
        detail: expect.stringContaining('changed by someone else'),
        expected: '1',
        actual: '2',
      });
    }
  });

  it('answers 409 for a row that was deleted meanwhile', async () => {
    const { id } = await account();
    between.run = () => dataSource.query(`DELETE FROM account WHERE id = ${id}`);
    const { body } = await http().patch(`/accounts/${id}`).send({ name: 'mine' }).expect(409);
    expect(body).toMatchObject({ code: 'RECORD_MODIFIED', deleted: true });
    expect(await row(id)).toBeNull();
  });

  it('answers 428 where a condition is required, and 400 for one that is malformed', async () => {
    const { id, tag } = await account();
    const { body, headers } = await http().patch(`/accounts/${id}/required`).send({}).expect(428);
    expect(headers['content-type']).toMatch(PROBLEM);
    expect(body).toMatchObject({ status: 428, code: 'PRECONDITION_REQUIRED' });
    await http().patch(`/accounts/${id}/required`).set('If-Match', tag(1)).send({ name: 'x' }).expect(200);
    const malformed = await http().patch(`/accounts/${id}`).set('If-Match', '1').send({}).expect(400);
    expect(malformed.body).toMatchObject({ status: 400, code: 'BAD_PRECONDITION' });
    expect(malformed.headers['content-type']).toMatch(PROBLEM);
    expect(await row(id)).toMatchObject({ version: 2 });
  });

  it('shows the listed values of both sides, and where they differ', async () => {
    const { id, tag } = await account();
    between.run = byAnother(id);
    const { body } = await http()
      .patch(`/accounts/${id}/required`)
      .set('If-Match', tag(1))
      .send({ name: 'mine', password: 'guess' })
      .expect(412);
    expect(body).toMatchObject({
      current: { name: 'theirs', id },
      submitted: { name: 'mine', id },
      conflicts: ['name'],
    });
    expect(JSON.stringify(body)).not.toMatch(/secret|guess|note/);
  });

  it.each([
    ['serialized', { id: expect.any(Number), version: 2, name: 'theirs' }],
    ['admin', { id: expect.any(Number), version: 2, name: 'theirs', note: 'note' }],
  ])('shows what class-transformer leaves under the options of the route: %s', async (path, current) => {
    const { id } = await account();
    between.run = byAnother(id);
    const { body } = await http()
      .patch(`/accounts/${id}/${path}`)
      .send({ name: 'mine', password: 'x' })
      .expect(409);
    expect(body.current).toEqual(current);
    expect(body.submitted).toEqual({ ...current, name: 'mine', version: 1 });
    expect(body.conflicts).toContain('name');
    expect(body.conflicts).not.toContain('password');
  });

  it('answers 400 for a version token that was tampered with', async () => {
    const { id } = await account();
    const token = tokens.sign({ entity: 'Account', id }, 1);
    const verified = await http().post(`/plain/${id}/form`).send({ token }).expect(201);
    expect(verified.body).toEqual({ version: 1 });
    for (const bad of [token.replace(/^1/, '2'), undefined]) {
      const { body, headers } = await http().post(`/plain/${id}/form`).send({ token: bad }).expect(400);
      expect(body).toMatchObject({ status: 400, code: 'VERSION_TOKEN' });
      expect(headers['content-type']).toMatch(PROBLEM);
    }
  });
});

it('a route about an entity whose writes are not guarded is a mistake, and says so', async () => {
  const errors: unknown[] = [];
  const module = await Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot({ type: 'sqljs', entities: [Account], synchronize: true }),
      CacheOpsModule.forRoot({ logger: silent }),
    ],
    controllers: [AccountsController],
    providers: [
      {
        provide: APP_INTERCEPTOR,
        useValue: {
          intercept: (_context: unknown, next: CallHandler) =>
            next.handle().pipe(tap({ error: (error: unknown) => void errors.push(error) })),
        },
      },
    ],
  }).compile();
  const app = await module.createNestApplication(new ExpressAdapter(), { logger: false }).init();
  await request(app.getHttpServer()).get('/accounts').expect(500);
  expect(String(errors[0])).toMatch(/VersionedResource: expected an entity whose writes are guarded/);
  await app.close();
});
