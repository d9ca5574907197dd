import { Injectable } from '@nestjs/common';
import { Cached, CacheKey, type CallContext } from 'nestjs-cacheops';

interface Logger {
  log(text: string): void;
}

@Injectable()
export class OrdersService {
  made = 0;

  /** The key is made of the shop; a logger cannot be a part of one. */
  @Cached()
  async ofShop(@CacheKey() shopId: string, logger: Logger): Promise<string> {
    logger.log('made');
    return `orders of ${shopId}: ${++this.made}`;
  }

  /** A text takes the place of the method's name, and without arguments it is the whole key: `cacheOps.delete('top')`. */
  @Cached()
  @CacheKey('top')
  async top(): Promise<number> {
    return ++this.made;
  }

  /** A function makes the whole key. */
  @Cached()
  @CacheKey((ctx: CallContext<[user: { id: number }]>) => `user:${ctx.args[0].id}`)
  async ofUser(user: { id: number; seenAt: Date }): Promise<string> {
    return `orders of ${user.id}: ${++this.made}`;
  }
}
