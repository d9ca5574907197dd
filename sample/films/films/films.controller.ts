import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { VersionedResource } from 'nestjs-cacheops';
import { Film } from './film.entity.js';
import {
  filmChanges,
  filmId,
  filmQuery,
  newFilm,
  type FilmChanges,
  type FilmQuery,
} from './films.schemas.js';
import { FilmsService, type FilmPage } from './films.service.js';

/** A film has its version for an entity tag; writes may name it in `If-Match`. */
@Controller('films')
@VersionedResource(Film, { show: ['title', 'releaseDate', 'runningMinutes', 'imdbRating'] })
export class FilmsController {
  constructor(private readonly films: FilmsService) {}

  @Get()
  list(@Query({ schema: filmQuery }) query: FilmQuery): Promise<FilmPage> {
    return this.films.list(query);
  }

  @Get(':id')
  one(@Param('id', { schema: filmId }) id: number): Promise<Film> {
    return this.films.one(id);
  }

  @Post()
  create(@Body({ schema: newFilm }) values: FilmChanges): Promise<Film> {
    return this.films.create(values);
  }

  @Patch(':id')
  edit(
    @Param('id', { schema: filmId }) id: number,
    @Body({ schema: filmChanges }) changes: FilmChanges,
  ): Promise<Film> {
    return this.films.edit(id, changes);
  }

  @Delete(':id')
  @HttpCode(204)
  remove(@Param('id', { schema: filmId }) id: number): Promise<void> {
    return this.films.remove(id);
  }
}
