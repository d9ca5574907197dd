import { Injectable } from '@nestjs/common';
import { MergeConflictError, VersionTokens } from 'nestjs-cacheops';
import { saveMerged } from 'nestjs-cacheops/typeorm';
import { DataSource } from 'typeorm';
import { Film } from '../films/film.entity.js';
import { FilmsService } from '../films/films.service.js';
import { Genre, Rating } from '../films/named.entities.js';
import {
  FIELDS,
  formValues,
  parseValues,
  type FieldErrors,
  type FieldName,
  type FormValues,
  type Submission,
} from './form-fields.js';

/** A film in the form. */
export interface Editing {
  readonly id: number;
  readonly values: FormValues;
  /** The version that the edit is made on, signed. */
  readonly token: string;
  /** What can be chosen. */
  readonly choices: { readonly genre: readonly string[]; readonly rating: readonly string[] };
}

/** What became of an edit. */
export type Outcome =
  | { readonly kind: 'saved'; readonly kept: readonly FieldName[] }
  | { readonly kind: 'invalid'; readonly editing: Editing; readonly errors: FieldErrors }
  | { readonly kind: 'conflict'; readonly review: Review };

/** Three versions of a film. */
export interface Review {
  /** As the others have saved it. */
  readonly editing: Editing;
  readonly base: FormValues;
  readonly mine: FormValues;
}

/** Edits that take a while, as people do: others may save the same film meanwhile. */
@Injectable()
export class EditService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly films: FilmsService,
    private readonly tokens: VersionTokens,
  ) {}

  /** @throws NotFoundException */
  async open(id: number): Promise<Editing> {
    return this.editing(await this.films.one(id));
  }

  /**
   * Saves a form. What somebody else has saved since it was opened is kept, unless it is the same field: then nothing is
   * saved, and there is something to decide.
   *
   * @throws VersionTokenError when the form is not one that was made here for this film
   * @throws NotFoundException when the film was deleted
   */
  async submit(id: number, { token, base, ...mine }: Submission): Promise<Outcome> {
    const version = this.tokens.verify({ entity: 'Film', id }, token) as number;
    const parsed = parseValues(mine);
    if ('errors' in parsed) {
      // The same version again: what others have saved meanwhile is found out when the form is valid.
      const editing = { ...(await this.open(id)), values: mine, token };
      return { kind: 'invalid', editing, errors: parsed.errors };
    }
    const before = parseValues(base);
    const { manager } = this.dataSource;
    const film = manager.create(Film, {
      id,
      version,
      ...(await this.films.columns(parsed.changes, manager)),
    });
    // A base that does not parse was tampered with: then every difference is a conflict.
    const known = 'errors' in before ? {} : await this.films.columns(before.changes, manager);
    try {
      await saveMerged(manager, film, { base: known });
    } catch (error) {
      if (!(error instanceof MergeConflictError)) throw error;
      return { kind: 'conflict', review: { editing: await this.open(id), base, mine } };
    }
    const { values } = await this.open(id);
    return { kind: 'saved', kept: differing(values, mine) };
  }

  private async editing(film: Film): Promise<Editing> {
    const { manager } = this.dataSource;
    const genres = await manager.find(Genre, { order: { name: 'ASC' } });
    const ratings = await manager.find(Rating, { order: { code: 'ASC' } });
    return {
      id: film.id,
      values: formValues(film, film.genre?.name ?? null),
      token: this.tokens.sign({ entity: 'Film', id: film.id }, film.version),
      choices: { genre: genres.map(({ name }) => name), rating: ratings.map(({ code }) => code) },
    };
  }
}

export const differing = (a: FormValues, b: FormValues): FieldName[] =>
  FIELDS.map(({ name }) => name).filter((name) => a[name] !== b[name]);
