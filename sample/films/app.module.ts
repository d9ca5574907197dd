import { Module, StandardSchemaValidationPipe, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { CacheOpsModule, HttpCacheInterceptor, RecordModifiedFilter, VersionTokens } from 'nestjs-cacheops';
import { NunjucksCache } from 'nestjs-cacheops/nunjucks';
import { EditController } from './editing/edit.controller.js';
import { EditService } from './editing/edit.service.js';
import type { Environment } from './environment.js';
import { CatalogueService } from './films/catalogue.service.js';
import { Film } from './films/film.entity.js';
import { FilmsController } from './films/films.controller.js';
import { FilmsService } from './films/films.service.js';
import { Director, Distributor, Genre, Rating } from './films/named.entities.js';
import { MeterInterceptor } from './meter/meter.interceptor.js';
import { MeterModule } from './meter/meter.module.js';
import { RequestMeter } from './meter/request-meter.js';
import { StatementLogger } from './meter/statement-logger.js';
import { PagesController } from './pages/pages.controller.js';
import { PagesService } from './pages/pages.service.js';
import { SeedService } from './seed/seed.service.js';
import { StatisticsController } from './statistics/statistics.controller.js';
import { StatisticsService } from './statistics/statistics.service.js';

/** The whole application on a given database and cache. */
@Module({})
export class AppModule {
  static register({ database, redis, prefix, formSecret }: Environment): DynamicModule {
    return {
      module: AppModule,
      imports: [
        MeterModule,
        TypeOrmModule.forRootAsync({
          imports: [MeterModule],
          inject: [RequestMeter],
          useFactory: (meter: RequestMeter) => ({
            ...database,
            entities: [Film, Genre, Director, Distributor, Rating],
            // Makes the tables. Right for a sample; an application that has users writes migrations.
            synchronize: true,
            logging: true,
            logger: new StatementLogger(meter),
          }),
        }),
        TypeOrmModule.forFeature([Film]),
        CacheOpsModule.forRoot({
          redis,
          prefix,
          entities: {
            Film: { ops: 'all', ttl: '15m' },
            '*': { ops: ['get', 'fetch'], ttl: '1h' },
          },
          versioning: { guard: 'all' },
        }),
      ],
      controllers: [FilmsController, EditController, PagesController, StatisticsController],
      providers: [
        CatalogueService,
        EditService,
        FilmsService,
        NunjucksCache,
        PagesService,
        StatisticsService,
        SeedService,
        { provide: VersionTokens, useValue: new VersionTokens([formSecret]) },
        { provide: APP_FILTER, useClass: RecordModifiedFilter },
        { provide: APP_PIPE, useClass: StandardSchemaValidationPipe },
        // Measures hits too, so it stands before the cache of responses.
        { provide: APP_INTERCEPTOR, useClass: MeterInterceptor },
        { provide: APP_INTERCEPTOR, useClass: HttpCacheInterceptor },
      ],
    };
  }
}
