import type { ServerResponse } from 'node:http';
import { Body, Controller, Get, Header, Param, Post, Query, Res } from '@nestjs/common';
import { filmId } from '../films/films.schemas.js';
import { editPage } from './edit.page.js';
import { EditService } from './edit.service.js';
import { FIELDS, submission, type FieldName, type Submission } from './form-fields.js';
import { mergePage } from './merge.page.js';

const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  // A form from the history of the browser would show what is no longer so.
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
};

/** A form in HTML for people; what the second of two editors sees is the point of it. */
@Controller('films/:id/edit')
export class EditController {
  constructor(private readonly edits: EditService) {}

  @Get()
  @Header('Content-Type', HEADERS['Content-Type'])
  @Header('Cache-Control', HEADERS['Cache-Control'])
  @Header('Content-Security-Policy', HEADERS['Content-Security-Policy'])
  async form(
    @Param('id', { schema: filmId }) id: number,
    @Query('saved') saved?: string,
    @Query('kept') kept?: string,
  ): Promise<string> {
    const editing = await this.edits.open(id);
    return editPage(editing, editing.values, { saved: saved === '1', kept: fieldNames(kept) });
  }

  @Post()
  async submit(
    @Param('id', { schema: filmId }) id: number,
    @Body({ schema: submission }) form: Submission,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const outcome = await this.edits.submit(id, form);
    switch (outcome.kind) {
      case 'saved': {
        const kept = outcome.kept.length > 0 ? `&kept=${outcome.kept.join(',')}` : '';
        response.writeHead(303, { Location: `edit?saved=1${kept}` }).end();
        break;
      }
      case 'conflict':
        response.writeHead(409, HEADERS).end(mergePage(outcome.review));
        break;
      case 'invalid':
        response
          .writeHead(422, HEADERS)
          .end(editPage(outcome.editing, form.base, { errors: outcome.errors }));
    }
  }
}

const fieldNames = (list: string | undefined): FieldName[] =>
  FIELDS.map(({ name }) => name).filter((name) => list?.split(',').includes(name));
