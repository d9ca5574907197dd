import { WriteBatch } from './redis.batch.js';
import { type Call, MgetCall, ScriptCall } from './redis.call.js';
import type { RedisConnection } from './redis.connection.js';
import { PlainCommand } from './redis.plain-command.js';
import type { RedisScript } from './redis.script.js';

/** What a driver sends over its connection. */
export class RedisCalls {
  readonly #batch = new WriteBatch();

  /** @param prefix put before every key */
  constructor(
    private readonly connection: RedisConnection,
    private readonly prefix: string,
  ) {}

  mget(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return this.#send(new MgetCall(keys.map((key) => this.prefix + key)));
  }

  /** Runs the script by its hash; a server that does not have it yet gets the source, once. */
  run<Request, Reply>(script: RedisScript<Request, Reply>, request: Request): Promise<Reply> {
    return this.runFor(script, request, asItIs);
  }

  /**
   * As `run`, and works on the reply as soon as that is there.
   * @returns what `use` returns, or resolves to
   */
  runFor<Request, Reply, Result>(
    script: RedisScript<Request, Reply>,
    request: Request,
    use: (reply: Reply) => Result | Promise<Result>,
  ): Promise<Result> {
    return this.#send(new ScriptCall(script, request, this.prefix, use));
  }

  /** As `run`, for what nobody waits for: it leaves at the end of the turn, behind all that is sent in it. */
  runLater<Request, Reply>(script: RedisScript<Request, Reply>, request: Request): Promise<Reply> {
    return this.#send(new ScriptCall(script, request, this.prefix, asItIs), true);
  }

  #send<Result>(call: Call<Result>, waits = false): Promise<Result> {
    const { client, sendPlain } = this.connection;
    const batch = this.#batch;
    batch.begin(client.stream, waits);
    if (sendPlain) {
      const command = new PlainCommand(call, client, batch);
      sendPlain(command);
      return command.promise;
    }
    return call.sendBy(client).then(
      (raw) => {
        batch.end();
        return call.reply(raw);
      },
      (error: Error) => {
        batch.end();
        return call.instead(error, client) ?? Promise.reject(error);
      },
    );
  }
}

const asItIs = <Reply>(reply: Reply): Reply => reply;
