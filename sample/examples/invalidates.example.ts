import { Injectable } from '@nestjs/common';
import { type CallContext, dep, Invalidates } from 'nestjs-cacheops';
import { Article } from './articles.entities.js';

@Injectable()
export class ImportService {
  /** Another process writes these rows, where the cache does not see it. */
  @Invalidates((ctx: CallContext<[categoryId: number]>) => [
    dep(Article, { categoryId: ctx.args[0] }),
    'rates',
  ])
  async importCategory(_categoryId: number, work: () => Promise<void>): Promise<void> {
    await work();
  }
}
