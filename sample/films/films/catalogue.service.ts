import { BadRequestException, ConflictException, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, type EntityTarget } from 'typeorm';
import { Director, Distributor, Genre, Rating } from './named.entities.js';

/** Finds what a request names. These are the small, often read tables, so the lookups are almost always cached. */
@Injectable()
export class CatalogueService {
  constructor(private readonly dataSource: DataSource) {}

  genres(): Promise<Genre[]> {
    return this.dataSource.manager.find(Genre, { order: { name: 'ASC' } });
  }

  /** @throws BadRequestException that lists the genres there are */
  async genreId(name: string, manager: EntityManager = this.dataSource.manager): Promise<number> {
    const genre = await manager.findOneBy(Genre, { name });
    if (genre) return genre.id;
    const genres = await manager.find(Genre, { order: { name: 'ASC' } });
    throw unknown(
      'genre',
      name,
      genres.map((one) => one.name),
    );
  }

  /** @throws BadRequestException that lists the ratings there are */
  async ratingCode(code: string, manager: EntityManager = this.dataSource.manager): Promise<string> {
    const rating = await manager.findOneBy(Rating, { code });
    if (rating) return rating.code;
    const ratings = await manager.find(Rating, { order: { code: 'ASC' } });
    throw unknown(
      'rating',
      code,
      ratings.map((one) => one.code),
    );
  }

  async directorId(name: string): Promise<number | undefined> {
    return (await this.dataSource.manager.findOneBy(Director, { name }))?.id;
  }

  /**
   * The id of a director or distributor, who is added if new.
   * @throws ConflictException when another request adds the same one at the same time
   */
  async idOrNew(
    entity: typeof Director | typeof Distributor,
    name: string,
    manager: EntityManager,
  ): Promise<number> {
    const target: EntityTarget<Director> = entity;
    const known = await manager.findOneBy(target, { name });
    if (known) return known.id;
    try {
      return (await manager.save(target, { name })).id;
    } catch (error) {
      // Asked outside the transaction, which may be of no more use, and which does not see what others committed.
      const exists = await this.dataSource.manager.exists(target, { where: { name }, cache: false });
      if (!exists) throw error;
      throw new ConflictException(`${name} was added at the same time; send the request again`);
    }
  }
}

function unknown(field: string, given: string, expected: readonly string[]): BadRequestException {
  return new BadRequestException([`${field}: expected one of ${expected.join(', ')}; got ${given}`]);
}
