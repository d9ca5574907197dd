import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { CachedAs, type CallContext, dep } from 'nestjs-cacheops';
import { DataSource } from 'typeorm';
import { Article, Category } from './articles.entities.js';

@Injectable()
export class ArticlesService {
  constructor(@InjectDataSource() private readonly db: DataSource) {}

  /** Until a row changes that the queries inside have read. */
  @CachedAs()
  async one(id: number): Promise<Article | null> {
    return this.db.manager.findOneBy(Article, { id });
  }

  /** Until an article of this category changes. */
  @CachedAs((ctx: CallContext<[categoryId: number]>) => dep(Article, { categoryId: ctx.args[0] }), {
    ttl: '1h',
    tags: (ctx) => [`category:${String(ctx.args[0])}`],
  })
  async titles(categoryId: number): Promise<string[]> {
    const articles = await this.db.manager.findBy(Article, { categoryId });
    return articles.map(({ title }) => title);
  }

  /** Until any article or category changes, whatever is read inside. */
  @CachedAs(() => [Article, Category], { track: false, grace: '1h', lock: true })
  async report(): Promise<{ articles: number; categories: number }> {
    const { manager } = this.db;
    return { articles: await manager.count(Article), categories: await manager.count(Category) };
  }
}
