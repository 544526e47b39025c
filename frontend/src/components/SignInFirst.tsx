// For pages about the viewer's own things: asks for a key first.
import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { isExpired } from '@/lib/identity/record';
import { requireIdentity, useSession } from '@/lib/identity/session';
import { Empty, Loading } from './states';

export function SignInFirst({ why, children }: { why: string; children: (principal: string) => ReactNode }) {
  const session = useSession();
  if (session.status === 'loading') return <Loading what="your key" />;
  const locked = session.identity !== null && isExpired(session.identity);
  if (session.identity && !locked) return <>{children(session.identity.principal)}</>;
  return (
    <Empty title={locked ? 'Unlock your key' : 'Sign in with your own key'} action={<Button onClick={() => void requireIdentity().catch(() => undefined)}>{locked ? 'Unlock' : 'Sign in'}</Button>}>
      {locked ? 'Its session of eight hours is over. Nothing was lost.' : why}
    </Empty>
  );
}
