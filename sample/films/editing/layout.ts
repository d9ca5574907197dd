import { html, Html } from './html.js';
import { STYLE } from './style.js';

/** A whole page. */
export function layout(title: string, content: Html): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} · Films</title>
        <style>
          ${new Html(STYLE)}
        </style>
      </head>
      <body>
        <header class="bar"><span class="brand">Films</span> <span class="crumb">Edit</span></header>
        <main>${content}</main>
      </body>
    </html>`.text;
}
