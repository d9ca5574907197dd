import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { NunjucksCache } from 'nestjs-cacheops/nunjucks';
import nunjucks from 'nunjucks';
import { STYLE } from '../editing/style.js';
import { CatalogueService } from '../films/catalogue.service.js';
import type { FilmQuery } from '../films/films.schemas.js';
import { FilmsService } from '../films/films.service.js';

/** Beside this file, or beside the one that it was compiled from. */
const FOLDER = [import.meta.dirname, join(import.meta.dirname, '../../pages')].find((folder) =>
  existsSync(join(folder, 'films.njk')),
);

/** Pages in HTML. What is slow in them stands in cached fragments; the queries are run by the template, if at all. */
@Injectable()
export class PagesService {
  private readonly environment: nunjucks.Environment;

  constructor(
    private readonly templates: NunjucksCache,
    private readonly films: FilmsService,
    private readonly catalogue: CatalogueService,
  ) {
    this.environment = templates.install(
      new nunjucks.Environment(new nunjucks.FileSystemLoader(FOLDER), { autoescape: true }),
    );
  }

  list(query: FilmQuery): Promise<string> {
    return this.templates.render(this.environment, 'films.njk', {
      ...query,
      style: STYLE,
      genres: () => this.catalogue.genres(),
      films: () => this.films.list(query),
    });
  }
}
