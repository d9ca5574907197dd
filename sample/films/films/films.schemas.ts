import { z } from 'zod';

const MAX_INT = 2_147_483_647;

/** Text as every database takes it: PostgreSQL has no NUL in texts. */
export const text = (longest: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(longest)
    .refine((value) => !value.includes('\0'), 'expected text without NUL');

export const filmId = z.coerce.number().int().min(1).max(MAX_INT);

/** `GET /films`: filters (all must hold) and a page. */
export const filmQuery = z.strictObject({
  genre: text(100).optional(),
  director: text(100).optional(),
  rating: text(10).optional(),
  year: z.coerce.number().int().min(1800).max(2099).optional(),
  /** Part of the title, in any case. */
  text: text(100).optional(),
  skip: z.coerce.number().int().min(0).max(MAX_INT).default(0),
  take: z.coerce.number().int().min(1).max(100).default(20),
});
export type FilmQuery = z.infer<typeof filmQuery>;

const date = z.iso
  .date()
  .refine((day) => day >= '1800-01-01' && day < '2100', 'expected a day of the years 1800 to 2099');
const number = z.int().min(0).max(MAX_INT).nullable();
const dollars = z.int().min(0).nullable();

/** `PATCH /films/:id`: what is absent stays, `null` empties. Director and distributor may be new, genre and rating not. */
export const filmChanges = z
  .strictObject({
    title: text(200).nullable(),
    releaseDate: date.nullable(),
    runningMinutes: number,
    productionBudget: dollars,
    usGross: dollars,
    worldwideGross: dollars,
    usDvdSales: dollars,
    rottenTomatoesRating: z.int().min(0).max(100).nullable(),
    imdbRating: z.number().min(1).max(10).nullable(),
    imdbVotes: number,
    source: text(100).nullable(),
    creativeType: text(100).nullable(),
    genre: text(100).nullable(),
    director: text(100).nullable(),
    distributor: text(100).nullable(),
    rating: text(10).nullable(),
  })
  .partial();
export type FilmChanges = z.infer<typeof filmChanges>;

/** `POST /films`: a title at least. */
export const newFilm = filmChanges.extend({ title: text(200) });
