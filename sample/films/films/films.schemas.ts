import { z } from 'zod';

const MAX_INT = 2_147_483_647;

export const filmId = z.coerce.number().int().min(1).max(MAX_INT);

/** `GET /films`: filters (all must hold) and a page. */
export const filmQuery = z.strictObject({
  genre: z.string().min(1).optional(),
  director: z.string().min(1).optional(),
  rating: z.string().min(1).optional(),
  year: z.coerce.number().int().min(1800).max(2100).optional(),
  /** Part of the title, in any case. */
  text: z.string().min(1).max(100).optional(),
  skip: z.coerce.number().int().min(0).max(MAX_INT).default(0),
  take: z.coerce.number().int().min(1).max(100).default(20),
});
export type FilmQuery = z.infer<typeof filmQuery>;

const name = z.string().trim().min(1).max(100).nullable();
const number = z.int().min(0).max(MAX_INT).nullable();
const dollars = z.int().min(0).nullable();

/** `PATCH /films/:id`: what is absent stays, `null` empties. Director and distributor may be new, genre and rating not. */
export const filmChanges = z
  .strictObject({
    title: z.string().trim().min(1).max(200).nullable(),
    releaseDate: z.iso.date().nullable(),
    runningMinutes: number,
    productionBudget: dollars,
    usGross: dollars,
    worldwideGross: dollars,
    usDvdSales: dollars,
    rottenTomatoesRating: z.int().min(0).max(100).nullable(),
    imdbRating: z.number().min(1).max(10).nullable(),
    imdbVotes: number,
    source: name,
    creativeType: name,
    genre: name,
    director: name,
    distributor: name,
    rating: z.string().min(1).max(10).nullable(),
  })
  .partial();
export type FilmChanges = z.infer<typeof filmChanges>;

/** `POST /films`: a title at least. */
export const newFilm = filmChanges.extend({ title: z.string().trim().min(1).max(200) });
