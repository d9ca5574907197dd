import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository, type SelectQueryBuilder } from 'typeorm';
import { Film } from '../films/film.entity.js';

export interface Totals {
  /** Genre or director; `null`: the films that name none. */
  readonly name: string | null;
  readonly films: number;
  /** Dollars, `null` where no film of the group has a figure. */
  readonly usGross: number | null;
  readonly worldwideGross: number | null;
}

type RawTotals = { name: string | null } & Record<
  'films' | 'usGross' | 'worldwideGross',
  string | number | null
>;

@Injectable()
export class StatisticsService {
  constructor(@InjectRepository(Film) private readonly films: Repository<Film>) {}

  /** All genres, the largest first. */
  byGenre(): Promise<Totals[]> {
    return totals(
      this.films.createQueryBuilder('film').leftJoin('film.genre', 'named').orderBy('COUNT(film.id)', 'DESC'),
    );
  }

  /** The directors with the highest worldwide gross; of one genre if given. */
  topDirectors(take: number, genreId?: number): Promise<Totals[]> {
    const query = this.films
      .createQueryBuilder('film')
      .innerJoin('film.director', 'named')
      .where('film.worldwideGross IS NOT NULL')
      .orderBy('SUM(film.worldwideGross)', 'DESC')
      .limit(take);
    return totals(genreId === undefined ? query : query.andWhere('film.genreId = :genreId', { genreId }));
  }
}

async function totals(query: SelectQueryBuilder<Film>): Promise<Totals[]> {
  const rows = await query
    .select('named.name', 'name')
    .addSelect('COUNT(film.id)', 'films')
    .addSelect('SUM(film.usGross)', 'usGross')
    .addSelect('SUM(film.worldwideGross)', 'worldwideGross')
    .groupBy('named.name')
    .addOrderBy('named.name', 'ASC')
    .getRawMany<RawTotals>();
  return rows.map(({ name, films, usGross, worldwideGross }) => ({
    name,
    films: Number(films),
    usGross: numeric(usGross),
    worldwideGross: numeric(worldwideGross),
  }));
}

/** Databases answer sums of 64-bit integers as text. */
const numeric = (value: string | number | null): number | null => (value === null ? null : Number(value));
