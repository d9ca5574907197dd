import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { type ArgumentsHost, Controller, type INestApplication } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { Args, GraphQLModule, Int, Mutation, Query, Resolver } from '@nestjs/graphql';
import { ClientProxyFactory, MessagePattern, Transport } from '@nestjs/microservices';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { firstValueFrom } from 'rxjs';
import request from 'supertest';
import { RecordModifiedError, RecordModifiedFilter } from '../../lib/index.js';

const conflict = (): RecordModifiedError =>
  new RecordModifiedError({
    entity: 'Account',
    id: 7,
    operation: 'save',
    kind: 'modified',
    expected: 1,
    actual: 2,
    mine: { password: 'mine' },
    base: undefined,
    theirs: { password: 'theirs' },
  });

@Resolver()
class AccountsResolver {
  @Query(() => Int)
  nothing(): number {
    return 0;
  }

  @Mutation(() => Int)
  rename(@Args('name') _name: string): number {
    throw conflict();
  }
}

@Controller()
class AccountsMessages {
  @MessagePattern('rename')
  rename(): number {
    throw conflict();
  }
}

const filter = { provide: APP_FILTER, useClass: RecordModifiedFilter };
const DETAIL = 'The record was changed by someone else since it was read. Nothing was written.';

describe('conflicts in GraphQL', () => {
  let app: INestApplication;

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      imports: [GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true })],
      providers: [AccountsResolver, filter],
    }).compile();
    app = module.createNestApplication(new ExpressAdapter(), { logger: false });
    await app.listen(0, '127.0.0.1');
  }, 60_000);
  afterAll(() => app?.close());

  it('carry the code, the versions, and no values', async () => {
    const query = 'mutation { rename(name: "x") }';
    const { body, text } = await request(await app.getUrl())
      .post('/graphql')
      .send({ query });
    expect(body.errors).toHaveLength(1);
    expect(body.errors[0]).toMatchObject({
      message: DETAIL,
      extensions: { code: 'RECORD_MODIFIED', expected: '1', actual: '2' },
    });
    expect(text).not.toContain('password');
  });
});

describe('conflicts in a microservice', () => {
  it('reach the client with their code and versions, and no values', async () => {
    const module = await Test.createTestingModule({
      controllers: [AccountsMessages],
      providers: [filter],
    }).compile();
    const options = { host: '127.0.0.1', port: 0 };
    const service = module.createNestMicroservice({ transport: Transport.TCP, options, logger: false });
    await service.listen();
    const { port } = service.unwrap<{ address(): { port: number } }>().address();
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options: { ...options, port } });
    try {
      const sent = firstValueFrom(client.send('rename', {}));
      await expect(sent).rejects.toMatchObject({
        status: 'error',
        code: 'RECORD_MODIFIED',
        message: DETAIL,
        expected: '1',
        actual: '2',
      });
      await expect(sent).rejects.not.toHaveProperty('current');
    } finally {
      client.close();
      await service.close();
    }
  }, 60_000);
});

describe('conflicts on a WebSocket', () => {
  it('are emitted as Nest emits exceptions', () => {
    const emitted: unknown[] = [];
    const host = {
      getType: () => 'ws',
      switchToWs: () => ({ getClient: () => ({ emit: (...args: unknown[]) => emitted.push(args) }) }),
    } as unknown as ArgumentsHost;
    new RecordModifiedFilter().catch(conflict(), host);
    expect(emitted).toEqual([
      ['exception', expect.objectContaining({ status: 'error', code: 'RECORD_MODIFIED', message: DETAIL })],
    ]);
  });
});
