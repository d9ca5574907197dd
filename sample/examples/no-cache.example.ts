import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { NoCache, NoInvalidation } from 'nestjs-cacheops';
import { DataSource } from 'typeorm';
import { ArticlesService } from './cached-as.example.js';
import { Article } from './articles.entities.js';

@Injectable()
export class MaintenanceService {
  constructor(
    @InjectDataSource() private readonly db: DataSource,
    private readonly articles: ArticlesService,
  ) {}

  /** Reads from the database, whatever it calls. */
  @NoCache()
  async compare(id: number): Promise<Article | null> {
    return this.articles.one(id);
  }

  /** A counter that nobody minds to see late. */
  @NoInvalidation()
  async seen(id: number): Promise<void> {
    await this.db.manager.increment(Article, { id }, 'views', 1);
  }
}
