// What stands around every page: sections, the network, the person.
import { ActionIcon, Burger, Drawer, Title, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { Link, NavLink, Outlet, ScrollRestoration, useLocation } from 'react-router';
import { IdentityArea } from '@/features/identity';
import { requestsQuery } from '@/lib/api/jobs';
import { votesQuery } from '@/lib/api/models';
import { isExpired } from '@/lib/identity/record';
import { useSession } from '@/lib/identity/session';
import { NetworkBadge } from './NetworkBadge';
import { SECTIONS, sectionOf, type SectionLink } from './sections';
import css from './shell.module.css';

export function Shell() {
  const { pathname } = useLocation();
  const here = sectionOf(pathname);
  const [menu, { open, close }] = useDisclosure(false);
  const counts = useCounts();
  useEffect(close, [pathname, close]);
  return (
    <>
      <a className={css.skip} href="#main">
        Skip to the content
      </a>
      <div className={css.top}>
        <header className={css.bar}>
          <Burger className={css.burger} size="sm" opened={menu} onClick={open} aria-label="Open the menu" />
          <Link to="/" className={css.brand}>
            <img src="/icon.svg" alt="" />
            <span>Commonweight</span>
          </Link>
          <nav className={css.sections} aria-label="Sections">
            {SECTIONS.map((section) => (
              <Link key={section.name} to={section.pages[0]?.to ?? '/'} data-here={section === here}>
                {section.name}
                <Count of={section.pages.reduce((sum, page) => sum + (page.count ? counts[page.count] : 0), 0)} />
              </Link>
            ))}
          </nav>
          <div className={css.right}>
            <NetworkBadge />
            <SchemeSwitch />
            <IdentityArea />
          </div>
        </header>
        {here.pages.length > 1 && (
          <nav className={css.pages} aria-label={here.name}>
            <PageLinks pages={here.pages} counts={counts} />
          </nav>
        )}
      </div>
      <Drawer opened={menu} onClose={close} position="left" size="xs" title="Menu" closeButtonProps={{ 'aria-label': 'Close' }}>
        <nav className={css.menu} aria-label="All pages">
          {SECTIONS.map((section) => (
            <div key={section.name}>
              <Title order={3}>{section.name}</Title>
              <div className={css.menu}>
                <PageLinks pages={section.pages} counts={counts} />
              </div>
            </div>
          ))}
        </nav>
      </Drawer>
      <main id="main" className={css.main} tabIndex={-1}>
        <Outlet />
      </main>
      <footer className={css.foot}>
        <span>Model weights, owned in common by the people whose data made them.</span>
        <a href="/api/market/docs">API documentation</a>
      </footer>
      <ScrollRestoration />
    </>
  );
}

function PageLinks({ pages, counts }: { pages: readonly SectionLink[]; counts: Counts }) {
  return pages.map((page) => (
    <NavLink key={page.to} to={page.to} end>
      {page.name}
      {page.count && <Count of={counts[page.count]} />}
    </NavLink>
  ));
}

const Count = ({ of }: { of: number }) => (of > 0 ? <span className={css.count}>{of}</span> : null);

type Counts = Record<'requests' | 'votes', number>;

/** What waits for the person, once they are signed in. */
function useCounts(): Counts {
  const { identity } = useSession();
  const principal = identity && !isExpired(identity) ? identity.principal : null;
  const requests = useQuery(requestsQuery(principal));
  const votes = useQuery(votesQuery(principal));
  return { requests: requests.data?.count ?? 0, votes: votes.data?.count ?? 0 };
}

function SchemeSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light') === 'dark';
  return (
    <ActionIcon variant="subtle" color="gray" onClick={() => setColorScheme(dark ? 'light' : 'dark')} aria-label={dark ? 'Use light colours' : 'Use dark colours'}>
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden>
        <circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" strokeWidth="1.5" />
        <path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z" fill="currentColor" />
      </svg>
    </ActionIcon>
  );
}
