import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Controller, type INestApplication, Inject, Injectable, Module, Scope } from '@nestjs/common';
import { CONTEXT } from '@nestjs/graphql';
import {
  Args,
  Context,
  Field,
  GraphQLModule,
  Info,
  Int,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import {
  type ClientProxy,
  ClientProxyFactory,
  MessagePattern,
  Payload,
  Transport,
} from '@nestjs/microservices';
import { ExpressAdapter } from '@nestjs/platform-express';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test } from '@nestjs/testing';
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { firstValueFrom, Observable, of, toArray } from 'rxjs';
import request from 'supertest';
import { WebSocket } from 'ws';
import {
  Cached,
  CachedAs,
  CacheKey,
  type CallContext,
  CacheOpsModule,
  dep,
  Invalidates,
} from '../../lib/index.js';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { KeptLog, sqlite } from '../nest/app.js';
import { Article, Category } from '../nest/entities.js';

let calls = 0;
beforeEach(() => (calls = 0));

const cache = () => CacheOpsModule.forRoot({ logger: new KeptLog() });

interface GraphContext {
  readonly req: { readonly headers: Record<string, string | undefined> };
}

describe('GraphQL', () => {
  @ObjectType('Category')
  class CategoryView {
    @Field(() => Int)
    id!: number;

    @Field()
    name!: string;
  }

  @Resolver(() => CategoryView)
  class CategoryResolver {
    constructor(@InjectDataSource() private readonly db: DataSource) {}

    @Query(() => CategoryView)
    @CachedAs()
    async category(@Args('id', { type: () => Int }) id: number): Promise<Category> {
      calls++;
      return this.db.manager.findOneByOrFail(Category, { id });
    }

    @ResolveField(() => Int)
    @CachedAs((ctx: CallContext<[Category]>) => dep(Article, { categoryId: ctx.args[0].id }), {
      track: false,
    })
    async articles(@Parent() category: Category): Promise<number> {
      calls++;
      return this.db.manager.countBy(Article, { categoryId: category.id });
    }

    @Query(() => Int)
    @Cached({ ttl: '1m' })
    unkeyed(@Info() _info: object): number {
      return ++calls;
    }

    @Query(() => Int)
    @Cached({ ttl: '1m' })
    contextual(@Context() _context: GraphContext): number {
      return ++calls;
    }

    @Query(() => Int)
    @Cached({ ttl: '1m' })
    bare(): number {
      return ++calls;
    }

    @Query(() => String)
    @Cached({
      ttl: '1m',
      vary: (ctx: CallContext<[string, GraphContext]>) => ctx.args[1].req.headers['x-user'],
    })
    hello(@CacheKey() @Args('name') name: string, @Context() { req }: GraphContext): string {
      return `${name} from ${req.headers['x-user'] ?? 'nobody'} ${++calls}`;
    }

    @Mutation(() => Int)
    @Invalidates((ctx) => dep(Article, { categoryId: ctx.args[0] }))
    announce(@Args('categoryId', { type: () => Int }) categoryId: number): number {
      return categoryId;
    }
  }

  @Injectable({ scope: Scope.REQUEST })
  @Resolver()
  class ScopedResolver {
    constructor(@Inject(CONTEXT) private readonly context: GraphContext) {}

    @Query(() => String)
    @Cached({ vary: (ctx) => (ctx.instance as ScopedResolver).context.req.headers['x-user'] })
    me(): string {
      return `${this.context.req.headers['x-user'] ?? 'nobody'} ${++calls}`;
    }
  }

  let app: INestApplication;
  let db: DataSource;
  beforeAll(async () => {
    const graph = GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true });
    const module = await Test.createTestingModule({
      imports: [sqlite(), graph, cache()],
      providers: [CategoryResolver, ScopedResolver],
    }).compile();
    app = module.createNestApplication(new ExpressAdapter(), { logger: false });
    await app.listen(0, '127.0.0.1');
    db = app.get(DataSource);
    await db.getRepository(Category).save([{ name: 'one' }, { name: 'two' }]);
    await db.getRepository(Article).save({ title: 'a', categoryId: 1 });
  }, 60_000);
  afterAll(() => app?.close());

  const ask = async (
    query: string,
    user?: string,
  ): Promise<{ data: unknown; errors?: { message: string }[] }> => {
    const asked = request(await app.getUrl())
      .post('/graphql')
      .send({ query });
    const { body } = await (user ? asked.set('X-User', user) : asked);
    return body as { data: unknown; errors?: { message: string }[] };
  };

  it('queries and fields are cached, each until what it read changes', async () => {
    const query = '{ category(id: 1) { name articles } }';
    const first = await ask(query);
    expect(first).toEqual({ data: { category: { name: 'one', articles: 1 } } });
    expect(await ask(query)).toEqual(first);
    expect(calls).toBe(2);
    await db.getRepository(Article).insert({ title: 'b', categoryId: 1 });
    expect(await ask(query)).toEqual({ data: { category: { name: 'one', articles: 2 } } });
    expect(calls).toBe(3);
    await db.getRepository(Category).update({ id: 1 }, { name: 'renamed' });
    expect(await ask(query)).toEqual({ data: { category: { name: 'renamed', articles: 2 } } });
    expect(calls).toBe(4);
    await db.getRepository(Article).insert({ title: 'c', categoryId: 2 });
    await ask(query);
    expect(calls).toBe(4);
  });

  it('a mutation says what it makes stale', async () => {
    const query = '{ category(id: 1) { articles } }';
    await ask(query);
    const before = calls;
    expect(await ask('mutation { announce(categoryId: 1) }')).toEqual({ data: { announce: 1 } });
    await ask(query);
    expect(calls).toBe(before + 1);
  });

  it('what cannot be a key is named, and @CacheKey names what is', async () => {
    const { errors } = await ask('{ unkeyed }');
    expect(errors?.[0]?.message).toMatch(/unkeyed: args\[0\] \(_info\) cannot be part of a key/);
    const query = '{ hello(name: "x") }';
    expect(await ask(query, 'ann')).toEqual({ data: { hello: 'x from ann 1' } });
    expect(await ask(query, 'bob')).toEqual({ data: { hello: 'x from bob 2' } });
    expect(await ask(query, 'ann')).toEqual({ data: { hello: 'x from ann 1' } });
  });

  it('who is given a context must say what it varies by, as who is given a request', async () => {
    const asked = async (name: string, cookie = ''): Promise<unknown> => {
      const sent = request(await app.getUrl())
        .post('/graphql')
        .set(cookie ? { Cookie: cookie } : {});
      const { body } = await sent.send({ query: `{ ${name} }` });
      return (body as { data: Record<string, unknown> }).data[name];
    };
    expect([await asked('contextual'), await asked('contextual')]).toEqual([1, 1]);
    expect([await asked('contextual', 'a=1'), await asked('contextual', 'a=1')]).toEqual([2, 3]);
    expect([await asked('bare'), await asked('bare', 'a=1')]).toEqual([4, 4]);
  });

  it('a request-scoped resolver varies by what it says', async () => {
    expect([await ask('{ me }', 'ann'), await ask('{ me }', 'bob'), await ask('{ me }', 'ann')]).toEqual([
      { data: { me: 'ann 1' } },
      { data: { me: 'bob 2' } },
      { data: { me: 'ann 1' } },
    ]);
  });
});

describe('a microservice over TCP', () => {
  @Controller()
  class Sums {
    @MessagePattern('sum')
    @Cached({ tags: ['sums'] })
    sum(@Payload() numbers: number[]): { sum: number; calls: number } {
      return { sum: numbers.reduce((a, b) => a + b, 0), calls: ++calls };
    }

    @MessagePattern('stream')
    @Cached({ observable: true })
    stream(@Payload() n: number): Observable<number> {
      return of(n, ++calls);
    }

    @MessagePattern('reset')
    @Invalidates(() => 'sums')
    async reset(@Payload() fail: boolean): Promise<string> {
      if (fail) throw new Error('no');
      return 'reset';
    }
  }

  @Controller({ scope: Scope.REQUEST })
  class ScopedSums {
    private readonly own = ++calls;

    @MessagePattern('scoped')
    @Cached({ vary: [] })
    scoped(@Payload() n: number): number[] {
      return [n, this.own];
    }
  }

  @Module({ controllers: [Sums, ScopedSums], imports: [cache()] })
  class ServiceModule {}

  let client: ClientProxy;
  let close: () => Promise<unknown>;
  beforeEach(async () => {
    const module = await Test.createTestingModule({ imports: [ServiceModule] }).compile();
    const options = { host: '127.0.0.1', port: 0 };
    const service = module.createNestMicroservice({ transport: Transport.TCP, options, logger: false });
    await service.listen();
    const { port } = service.unwrap<{ address(): { port: number } }>().address();
    client = ClientProxyFactory.create({ transport: Transport.TCP, options: { ...options, port } });
    close = async () => {
      client.close();
      await service.close();
    };
  });
  afterEach(() => close());
  const send = (pattern: string, data: unknown): Promise<unknown> =>
    firstValueFrom(client.send(pattern, data));

  it('answers patterns from the cache', async () => {
    expect([await send('sum', [1, 2]), await send('sum', [1, 2]), await send('sum', [3])]).toEqual([
      { sum: 3, calls: 1 },
      { sum: 3, calls: 1 },
      { sum: 3, calls: 2 },
    ]);
  });

  it('until a handler that succeeds says otherwise', async () => {
    await send('sum', [1]);
    await expect(send('reset', true)).rejects.toMatchObject({ status: 'error' });
    expect(await send('sum', [1])).toMatchObject({ calls: 1 });
    expect(await send('reset', false)).toBe('reset');
    expect(await send('sum', [1])).toMatchObject({ calls: 2 });
  });

  it('emits again what an Observable has emitted', async () => {
    const all = (): Promise<unknown> => firstValueFrom(client.send('stream', 7).pipe(toArray()));
    expect([await all(), await all()]).toEqual([
      [7, 1],
      [7, 1],
    ]);
  });

  it('binds request-scoped handlers', async () => {
    expect([await send('scoped', 1), await send('scoped', 1)]).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(calls).toBe(2);
  });
});

describe('a WebSocket', () => {
  @Injectable()
  @WebSocketGateway()
  class Chat {
    @SubscribeMessage('time')
    @Cached({ tags: ['time'] })
    time(@MessageBody() zone: string): { event: string; data: unknown } {
      return { event: 'time', data: [zone, ++calls] };
    }

    @SubscribeMessage('socket')
    @Cached()
    socket(
      @CacheKey() @MessageBody() room: string,
      @ConnectedSocket() _client: WebSocket,
    ): { event: string; data: unknown } {
      return { event: 'socket', data: [room, ++calls] };
    }

    @SubscribeMessage('set')
    @Invalidates(() => 'time')
    set(): Promise<{ event: string; data: string }> {
      return Promise.resolve({ event: 'set', data: 'done' });
    }
  }

  let app: INestApplication;
  let socket: WebSocket;
  beforeEach(async () => {
    const module = await Test.createTestingModule({ imports: [cache()], providers: [Chat] }).compile();
    app = module.createNestApplication(new ExpressAdapter(), { logger: false });
    app.useWebSocketAdapter(new WsAdapter(app));
    await app.listen(0, '127.0.0.1');
    socket = new WebSocket((await app.getUrl()).replace('http', 'ws'));
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
  });
  afterEach(async () => {
    socket.terminate();
    await app.close();
  });
  const ask = async (event: string, data: unknown = null): Promise<unknown> => {
    const answer = new Promise<string>((resolve) =>
      socket.once('message', (message: Buffer) => resolve(message.toString())),
    );
    socket.send(JSON.stringify({ event, data }));
    return (JSON.parse(await answer) as { data: unknown }).data;
  };

  it('is answered from the cache, until a message says otherwise', async () => {
    expect([await ask('time', 'utc'), await ask('time', 'utc'), await ask('time', 'cet')]).toEqual([
      ['utc', 1],
      ['utc', 1],
      ['cet', 2],
    ]);
    expect(await ask('set')).toBe('done');
    expect(await ask('time', 'utc')).toEqual(['utc', 3]);
  });

  it('keys by the parameters that are marked, and not by the socket', async () => {
    expect([await ask('socket', 'a'), await ask('socket', 'a')]).toEqual([
      ['a', 1],
      ['a', 1],
    ]);
  });
});
