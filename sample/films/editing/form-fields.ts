import { z } from 'zod';
import type { Film } from '../films/film.entity.js';
import { filmChanges, type FilmChanges } from '../films/films.schemas.js';

/** A field of the edit form. */
export interface FormField {
  readonly name: FieldName;
  readonly label: string;
  readonly input: 'text' | 'date' | 'number' | 'select';
  readonly attributes?: Readonly<Record<string, string>>;
  readonly hint?: string;
}

export type FieldName =
  'title' | 'releaseDate' | 'runningMinutes' | 'genre' | 'rating' | 'imdbRating' | 'worldwideGross';

/** Texts as the form has them; empty: no value. */
export type FormValues = Readonly<Record<FieldName, string>>;

export const FIELDS: readonly FormField[] = [
  { name: 'title', label: 'Title', input: 'text', attributes: { maxlength: '200' } },
  { name: 'releaseDate', label: 'Release date', input: 'date' },
  {
    name: 'runningMinutes',
    label: 'Running time',
    input: 'number',
    attributes: { min: '0' },
    hint: 'minutes',
  },
  { name: 'genre', label: 'Genre', input: 'select' },
  { name: 'rating', label: 'MPAA rating', input: 'select' },
  {
    name: 'imdbRating',
    label: 'IMDb rating',
    input: 'number',
    attributes: { min: '1', max: '10', step: '0.1' },
    hint: '1 to 10',
  },
  {
    name: 'worldwideGross',
    label: 'Worldwide gross',
    input: 'number',
    attributes: { min: '0' },
    hint: 'US dollars',
  },
];

export function formValues(film: Film, genreName: string | null): FormValues {
  const text = (value: string | number | null): string => (value === null ? '' : String(value));
  return {
    title: text(film.title),
    releaseDate: text(film.releaseDate),
    runningMinutes: text(film.runningMinutes),
    genre: text(genreName),
    rating: text(film.ratingCode),
    imdbRating: text(film.imdbRating),
    worldwideGross: text(film.worldwideGross),
  };
}

const texts = z.object(
  Object.fromEntries(FIELDS.map(({ name }) => [name, z.string().trim()])) as Record<FieldName, z.ZodString>,
);

/** What a browser sends: the values, and with which values and which version the edit began. */
export const submission = texts.extend({
  token: z.string(),
  base: z
    .string()
    .transform((json, context) => {
      try {
        return JSON.parse(json) as unknown;
      } catch {
        context.addIssue('expected JSON');
        return z.NEVER;
      }
    })
    .pipe(texts),
});
export type Submission = z.infer<typeof submission>;

const NUMBERS: ReadonlySet<FieldName> = new Set(['runningMinutes', 'imdbRating', 'worldwideGross']);

/** What is wrong with each field, if anything is. */
export type FieldErrors = Partial<Record<FieldName, string>>;

/** @returns the values with their types, or what is wrong with them */
export function parseValues(values: FormValues): { changes: FilmChanges } | { errors: FieldErrors } {
  const typed = FIELDS.map(({ name }) => {
    const text = values[name];
    if (text === '') return [name, null];
    return [name, NUMBERS.has(name) ? Number(text) : text];
  });
  const parsed = filmChanges.safeParse(Object.fromEntries(typed));
  if (parsed.success) return { changes: parsed.data };
  return {
    errors: Object.fromEntries(
      parsed.error.issues.map(({ path, message }) => [path[0], message]),
    ) as FieldErrors,
  };
}
