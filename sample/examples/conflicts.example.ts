import { Body, Controller, Get, Param, ParseIntPipe, Patch } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import {
  IfMatch,
  retryOnConflict,
  VersionedResource,
  VersionTokens,
  type RecordVersion,
} from 'nestjs-cacheops';
import { saveBatch, saveMerged, updateVersioned } from 'nestjs-cacheops/typeorm';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, Repository, VersionColumn } from 'typeorm';

@Entity()
export class Article {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  title!: string;

  @Column({ default: '' })
  body!: string;

  @Column({ default: 0 })
  views!: number;

  @Column({ default: 'for the editors only' })
  notes!: string;

  @VersionColumn()
  version!: number;
}

export const countView = (dataSource: DataSource, id: number): Promise<Article> =>
  retryOnConflict(() =>
    dataSource.transaction(async (manager) => {
      const article = await manager.findOneByOrFail(Article, { id });
      article.views += 1;
      return manager.save(article);
    }),
  );

/** @param base the article as it was when the edit began */
export const saveEdit = (
  articles: Repository<Article>,
  article: Article,
  base: Partial<Article>,
): Promise<Article> =>
  saveMerged(articles, article, {
    base,
    resolve: ({ path, theirs }) => (path === 'views' ? theirs : undefined),
  });

/** @returns the titles of those that somebody else has changed meanwhile */
export async function saveList(articles: Repository<Article>, list: readonly Article[]): Promise<string[]> {
  const { conflicts } = await saveBatch(articles, list, { onConflict: 'skip' });
  return conflicts.map(({ entity }) => entity.title);
}

/** The version that a form was made from travels through the browser. */
export class ArticleForms {
  private readonly tokens: VersionTokens;

  /** @param secrets the first one signs, all of them verify */
  constructor(secrets: readonly string[]) {
    this.tokens = new VersionTokens(secrets);
  }

  /** For a hidden field. */
  token({ id, version }: Article): string {
    return this.tokens.sign({ entity: 'Article', id }, version);
  }

  /** @throws VersionTokenError (400) when it was altered, or made for another article */
  version(id: number, token: string): RecordVersion {
    return this.tokens.verify({ entity: 'Article', id }, token);
  }
}

@Controller('articles')
@VersionedResource(Article, { show: ['title', 'body'] })
export class ArticlesController {
  constructor(@InjectRepository(Article) private readonly articles: Repository<Article>) {}

  @Get(':id')
  one(@Param('id', ParseIntPipe) id: number): Promise<Article> {
    return this.articles.findOneByOrFail({ id });
  }

  // 412 if the article is not, or no longer, of the version in If-Match; 409 for a conflict without one
  @Patch(':id')
  async edit(
    @Param('id', ParseIntPipe) id: number,
    @Body() { title }: Pick<Article, 'title'>,
  ): Promise<Article> {
    const article = await this.articles.findOneByOrFail({ id });
    return this.articles.save(Object.assign(article, { title }));
  }

  // 428 without If-Match
  @Patch(':id/body')
  @VersionedResource(Article, { required: true })
  async rewrite(
    @Param('id', ParseIntPipe) id: number,
    @Body() { body }: Pick<Article, 'body'>,
    @IfMatch() version: RecordVersion,
  ): Promise<void> {
    await updateVersioned(this.articles, id, version, { body });
  }
}
