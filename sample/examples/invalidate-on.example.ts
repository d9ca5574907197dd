import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { CachedAs, type CallContext, dep, InvalidateOn } from 'nestjs-cacheops';
import { DataSource } from 'typeorm';
import { Article, Category } from './articles.entities.js';

type Shown = Article & { link: string };

@Injectable()
export class LinksService {
  made = 0;

  constructor(@InjectDataSource() private readonly db: DataSource) {}

  /** Which category matters is known when the article is. */
  @CachedAs()
  @InvalidateOn(
    () => Category,
    (ctx: CallContext<[id: number], Shown>) => dep(Category, { id: ctx.result.categoryId }),
  )
  async show(id: number): Promise<Shown> {
    this.made++;
    const article = await this.db.manager.findOneByOrFail(Article, { id });
    return { ...article, link: await categoryLink(article.categoryId) };
  }
}

/** Asks a service that reads the categories where the cache does not see it. */
const categoryLink = (id: number): Promise<string> => Promise.resolve(`/categories/${id}`);
