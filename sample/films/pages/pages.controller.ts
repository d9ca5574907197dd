import { Controller, Get, Header, Query } from '@nestjs/common';
import { filmQuery, type FilmQuery } from '../films/films.schemas.js';
import { PagesService } from './pages.service.js';

@Controller('pages')
export class PagesController {
  constructor(private readonly pages: PagesService) {}

  @Get('films')
  @Header('Content-Type', 'text/html; charset=utf-8')
  films(@Query({ schema: filmQuery }) query: FilmQuery): Promise<string> {
    return this.pages.list(query);
  }
}
