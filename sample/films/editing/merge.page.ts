import { hiddenInputs } from './edit.page.js';
import type { Review } from './edit.service.js';
import { FIELDS, type FormField } from './form-fields.js';
import { html, type Html } from './html.js';
import { layout } from './layout.js';

interface Row extends FormField {
  readonly was: string;
  readonly theirs: string;
  readonly mine: string;
}

/**
 * What somebody else has changed meanwhile, beside one's own changes. It is a form like the first one, made on the
 * version that it shows: whoever saves next in between is not overwritten either.
 */
export function mergePage({ editing, base, mine }: Review): string {
  const rows = FIELDS.map((field): Row => {
    const { name } = field;
    return { ...field, was: base[name], theirs: editing.values[name], mine: mine[name] };
  });
  const conflicts = rows.filter(({ was, theirs, mine }) => mine !== theirs && mine !== was && theirs !== was);
  const others = rows.filter((row) => !conflicts.includes(row));
  const changed = others.filter(({ was, theirs, mine }) => theirs !== was || mine !== was);
  const title = editing.values.title || `Film ${editing.id}`;
  return layout(
    `Compare changes to ${title}`,
    html`<h1>Somebody else has saved this film</h1>
      <p class="lead">${title}</p>
      <div class="notice warn" role="alert">
        <strong>Your changes are not saved yet.</strong>
        <p>
          While you were editing, somebody else changed the same
          ${conflicts.length === 1 ? 'field' : 'fields'}. Please choose.
        </p>
      </div>
      <form method="post">
        ${hiddenInputs(editing, editing.values)}
        ${others.map((row) => html`<input type="hidden" name="${row.name}" value="${merged(row)}" />`)}
        <section class="card" aria-labelledby="choose">
          <h2 id="choose">Changed by both of you</h2>
          ${conflicts.map(choice)} ${changed.length > 0 && combined(changed)}
          <div class="actions">
            <button>Save the merged film</button>
            <a href="edit">Discard my changes</a>
          </div>
        </section>
      </form>`,
  );
}

const merged = ({ was, theirs, mine }: Row): string => (mine === was ? theirs : mine);

function choice({ name, label, was, theirs, mine }: Row, index: number): Html {
  const side = (who: 'theirs' | 'mine', text: string, value: string): Html =>
    html`<label class="side ${who}">
      <input
        type="radio"
        name="${name}"
        value="${value}"
        required
        ${index === 0 && who === 'theirs' && html`autofocus`}
      />
      <span><span class="who">${text}</span> <span class="value">${shown(value)}</span></span>
    </label>`;
  return html`<fieldset aria-describedby="${name}-was">
    <legend>${label}</legend>
    <p class="was" id="${name}-was">When you began: ${shown(was)}</p>
    <div class="sides">${side('theirs', 'Their change', theirs)} ${side('mine', 'Your change', mine)}</div>
  </fieldset>`;
}

/** What needs no decision. */
function combined(rows: readonly Row[]): Html {
  const row = (each: Row): Html => {
    const who = each.mine === each.was ? 'theirs' : 'mine';
    const both = each.mine === each.theirs;
    return html`<tr>
      <th scope="row">${each.label}</th>
      <td><del>${shown(each.was)}</del> → <ins class="${who}">${shown(merged(each))}</ins></td>
      <td>${both ? 'Both of you' : who === 'mine' ? 'You' : 'Somebody else'}</td>
    </tr>`;
  };
  return html`<h2 id="combined">Kept from both sides</h2>
    <div class="scroll">
      <table aria-labelledby="combined">
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Change</th>
            <th scope="col">Changed by</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(row)}
        </tbody>
      </table>
    </div>`;
}

const shown = (value: string): Html =>
  value === '' ? html`<span class="none">empty</span>` : html`${value}`;
