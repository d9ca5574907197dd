import { Controller, Get, Param, ParseIntPipe } from '@nestjs/common';
import { CachedAs, NoCache } from 'nestjs-cacheops';
import { ArticlesService } from './cached-as.example.js';

@CachedAs({ ttl: '5m', vary: 'language' })
@Controller('articles')
export class ArticlesController {
  constructor(private readonly articles: ArticlesService) {}

  @Get(':id')
  async one(@Param('id', ParseIntPipe) id: number): Promise<object> {
    return { article: await this.articles.one(id), at: Date.now() };
  }

  @NoCache()
  @Get('now/:id')
  async now(@Param('id', ParseIntPipe) id: number): Promise<object> {
    return { article: await this.articles.one(id), at: Date.now() };
  }
}
