// How pages are laid out: title and state in the first line, the one action beside it, then sections.
import { Title } from '@mantine/core';
import { useEffect, type ReactNode } from 'react';
import css from './layout.module.css';

export interface PageHeadProps {
  title: ReactNode;
  /** For the browser's tab, when the title is not plain text. */
  tab?: string;
  state?: ReactNode;
  lead?: ReactNode;
  /** The one action that the viewer can take now, and the way to the proof. */
  actions?: ReactNode;
}

export function PageHead({ title, tab, state, lead, actions }: PageHeadProps) {
  const name = tab ?? (typeof title === 'string' ? title : null);
  useEffect(() => {
    document.title = name ? `${name} · Commonweight` : 'Commonweight';
  }, [name]);
  return (
    <header className={css.head}>
      <div className={css.titles}>
        <div className={css.title}>
          <Title order={1}>{title}</Title>
          {state}
        </div>
        {lead && <div className={css.lead}>{lead}</div>}
      </div>
      {actions && <div className={css.side}>{actions}</div>}
    </header>
  );
}

export interface SectionProps {
  title: ReactNode;
  note?: ReactNode;
  children: ReactNode;
}

export function Section({ title, note, children }: SectionProps) {
  return (
    <section className={css.section}>
      <header>
        <Title order={2}>{title}</Title>
        {note && <span className={css.note}>{note}</span>}
      </header>
      {children}
    </section>
  );
}

/** What may be wider than the screen scrolls within itself. */
export const Scroll = ({ children, label }: { children: ReactNode; label: string }) => (
  // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
  <div className={css.scroll} role="region" aria-label={label} tabIndex={0}>
    {children}
  </div>
);

/** Main column and side column; one below the other on narrow screens. */
export const Columns = ({ main, side }: { main: ReactNode; side: ReactNode }) => (
  <div className={css.columns}>
    <div className={css.stack}>{main}</div>
    <aside className={css.stack}>{side}</aside>
  </div>
);

export const Stacked = ({ children }: { children: ReactNode }) => <div className={css.stack}>{children}</div>;
