import type { WriteBatch } from './redis.batch.js';
import type { Call } from './redis.call.js';
import type { RedisArgument, RedisClient } from './redis.client.js';

/**
 * A command of ioredis, made in one go. The constructor of ioredis's own class copies and checks whatever a caller may
 * have given and takes 3 µs, more than anything else in this process when a free lock is taken
 * (`npm run bench -- "Lock and"`). All the rest is inherited from that class, which is put above this one when ioredis
 * is loaded; the fields are those that its constructor sets.
 */
export class PlainCommand<Result> {
  readonly name: string;
  readonly args: RedisArgument[];
  readonly promise: Promise<Result>;
  /** Fields, because what traces a client replaces them, and calls them without `this`. */
  resolve!: (raw: unknown) => void;
  reject!: (error: Error) => void;
  inTransaction = false;
  isTraced = false;
  isResolved = false;
  transformed = true;
  bufferMode = false;

  /** @param batch is told of its end */
  constructor(call: Call<Result>, client: RedisClient, batch: WriteBatch) {
    const { args } = call;
    this.name = call.name;
    this.args = args;
    for (let i = 0; i < args.length; i++) {
      if (typeof args[i] === 'number') args[i] = String(args[i]);
      else if (typeof args[i] !== 'string') this.bufferMode = true;
    }
    this.promise = new Promise((resolve, reject: (error: Error) => void) => {
      this.resolve = (raw) => {
        this.isResolved = true;
        batch.end();
        try {
          resolve(call.reply(raw));
        } catch (error) {
          reject(error as Error);
        }
      };
      this.reject = (error) => {
        batch.end();
        const instead = call.instead(error, client);
        if (instead === undefined) reject(error);
        else resolve(instead);
      };
    });
  }
}

/** The parts of ioredis that tell what it does with a command. */
export interface Ioredis {
  readonly Redis: new (...args: never) => object;
  readonly Command: new (...args: never) => object;
}

interface TakesPlain {
  sendCommand(command: object): unknown;
}

/** Options of ioredis that have a say in how each command is made. */
const SAYS = ['keyPrefix', 'commandTimeout', 'enableAutoPipelining', 'showFriendlyErrorStack'];

/** Methods that nobody may have replaced: plain commands go past them. */
const PASSED_BY = ['evalsha', 'mgetBuffer'];

/** Whether a client takes plain commands: it is ioredis itself, of one server, and does nothing to them. */
export function takesPlainCommands<Client extends { readonly options?: object }>(
  client: Client,
  { Redis, Command }: Ioredis,
): client is Client & TakesPlain {
  if (!(client instanceof Redis)) return false;
  const options: Readonly<Record<string, unknown>> = { ...client.options };
  if (SAYS.some((name) => options[name])) return false;
  const own = Redis.prototype as object;
  if (PASSED_BY.some((name) => Reflect.get(client, name) !== Reflect.get(own, name))) return false;
  Object.setPrototypeOf(PlainCommand.prototype, Command.prototype as object);
  return true;
}
