import { Injectable, NotFoundException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ILike, Repository, type EntityManager, type FindOptionsWhere } from 'typeorm';
import { CatalogueService } from './catalogue.service.js';
import { Film } from './film.entity.js';
import type { FilmChanges, FilmQuery } from './films.schemas.js';
import { Director, Distributor } from './named.entities.js';

export interface FilmPage {
  readonly total: number;
  readonly skip: number;
  readonly take: number;
  readonly films: readonly Film[];
}

/** What a list shows. An edit of other columns leaves cached lists alone. */
const LISTED = {
  id: true,
  title: true,
  releaseDate: true,
  worldwideGross: true,
  ratingCode: true,
  genre: { id: true, name: true },
  director: { id: true, name: true },
} as const;

/** Plain TypeORM: nothing in here knows that reads are cached and writes invalidate. */
@Injectable()
export class FilmsService {
  constructor(
    @InjectRepository(Film) private readonly films: Repository<Film>,
    private readonly catalogue: CatalogueService,
  ) {}

  /** One page of the films that match, in the order of their ids. */
  async list({ skip, take, ...filters }: FilmQuery): Promise<FilmPage> {
    const where = await this.where(filters);
    if (!where) return { total: 0, skip, take, films: [] };
    // Not `findAndCount`: beside `select` it counts distinct selected values, and misses rows that have a null in them.
    const [films, total] = await Promise.all([
      this.films.find({
        select: LISTED,
        relations: { genre: true, director: true },
        where,
        order: { id: 'ASC' },
        skip,
        take,
      }),
      this.films.countBy(where),
    ]);
    return { total, skip, take, films };
  }

  /** @throws NotFoundException */
  async one(id: number): Promise<Film> {
    const relations = { genre: true, director: true, distributor: true };
    const film = await this.films.findOne({ where: { id }, relations });
    if (!film) throw noFilm(id);
    return film;
  }

  /** @throws BadRequestException for a genre or rating that does not exist */
  async create(values: FilmChanges): Promise<Film> {
    const { id } = await this.films.manager.transaction(async (manager) =>
      manager.save(Film, await this.columns(values, manager)),
    );
    return this.one(id);
  }

  /** @throws NotFoundException, or BadRequestException for a genre or rating that does not exist */
  async edit(id: number, changes: FilmChanges): Promise<Film> {
    await this.films.manager.transaction(async (manager) => {
      if (!(await manager.existsBy(Film, { id }))) throw noFilm(id);
      const columns = await this.columns(changes, manager);
      if (Object.keys(columns).length > 0) await manager.update(Film, { id }, columns);
    });
    return this.one(id);
  }

  /** @throws NotFoundException */
  async remove(id: number): Promise<void> {
    const { affected } = await this.films.delete({ id });
    if (affected === 0) throw noFilm(id);
  }

  /** `undefined`: nothing can match. */
  private async where(
    filters: Omit<FilmQuery, 'skip' | 'take'>,
  ): Promise<FindOptionsWhere<Film> | undefined> {
    const { genre, director, rating, year, text } = filters;
    const directorId = director === undefined ? undefined : await this.catalogue.directorId(director);
    if (director !== undefined && directorId === undefined) return undefined;
    return {
      ...(genre !== undefined && { genreId: await this.catalogue.genreId(genre) }),
      ...(directorId !== undefined && { directorId }),
      ...(rating !== undefined && { ratingCode: await this.catalogue.ratingCode(rating) }),
      ...(year !== undefined && { releaseYear: year }),
      ...(text !== undefined && { title: ILike(`%${text}%`) }),
    };
  }

  /**
   * The columns of what a request names.
   * @throws BadRequestException for a genre or rating that does not exist
   */
  async columns(changes: FilmChanges, manager: EntityManager): Promise<Partial<Film>> {
    const { genre, director, distributor, rating, ...columns } = changes;
    const { catalogue } = this;
    return {
      ...columns,
      ...(columns.releaseDate !== undefined && { releaseYear: yearOf(columns.releaseDate) }),
      ...(genre !== undefined && { genreId: genre && (await catalogue.genreId(genre, manager)) }),
      ...(rating !== undefined && { ratingCode: rating && (await catalogue.ratingCode(rating, manager)) }),
      ...(director !== undefined && {
        directorId: director && (await catalogue.idOrNew(Director, director, manager)),
      }),
      ...(distributor !== undefined && {
        distributorId: distributor && (await catalogue.idOrNew(Distributor, distributor, manager)),
      }),
    } as Partial<Film>;
  }
}

const yearOf = (date: string | null): number | null => (date === null ? null : Number(date.slice(0, 4)));
const noFilm = (id: number): NotFoundException => new NotFoundException(`there is no film ${id}`);
