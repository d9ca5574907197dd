import { Controller, Get, Query } from '@nestjs/common';
import { CachedAs } from 'nestjs-cacheops';
import { z } from 'zod';
import { CatalogueService } from '../films/catalogue.service.js';
import { text } from '../films/films.schemas.js';
import { StatisticsService, type Totals } from './statistics.service.js';

const directorsQuery = z.strictObject({
  genre: text(100).optional(),
  take: z.coerce.number().int().min(1).max(100).default(10),
});

/** Responses are kept until a film changes that they count, and sent as they were. */
@CachedAs()
@Controller('statistics')
export class StatisticsController {
  constructor(
    private readonly statistics: StatisticsService,
    private readonly catalogue: CatalogueService,
  ) {}

  @Get('genres')
  genres(): Promise<Totals[]> {
    return this.statistics.byGenre();
  }

  @Get('directors')
  async directors(
    @Query({ schema: directorsQuery }) { genre, take }: z.infer<typeof directorsQuery>,
  ): Promise<Totals[]> {
    const genreId = genre === undefined ? undefined : await this.catalogue.genreId(genre);
    return this.statistics.topDirectors(take, genreId);
  }
}
