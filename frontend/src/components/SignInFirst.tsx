// For pages about the viewer's own things: asks for a key first.
import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { requireIdentity, useSession } from '@/lib/identity/session';
import { Empty, Loading } from './states';

export function SignInFirst({ why, children }: { why: string; children: (principal: string) => ReactNode }) {
  const session = useSession();
  if (session.status === 'loading') return <Loading what="your key" />;
  if (session.identity) return <>{children(session.identity.principal)}</>;
  return (
    <Empty title="Sign in with your own key" action={<Button onClick={() => void requireIdentity().catch(() => undefined)}>Sign in</Button>}>
      {why}
    </Empty>
  );
}
