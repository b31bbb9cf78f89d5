import { call } from './http';

/** How one can sign in to this node. */
export interface Options {
  org: string;
  nation: string;
  realm: string;
  password: boolean;
  passkeys: boolean;
  oidc: { id: string; title: string }[];
}

/** Where a sign-in stands. */
export interface Step {
  state: 'done' | 'totp' | 'must_change';
  ticket?: string;
  /** The account must set up a second factor before it can do more. */
  enrol?: boolean;
}

interface PasskeyBegin {
  ticket: string;
  publicKey: PublicKeyCredentialRequestOptionsJSON;
}

const post = <T>(path: string, json: unknown) => call<T>('/auth' + path, { method: 'POST', json });

/** The calls below /auth/. */
export const auth = {
  options: () => call<Options>('/auth/options'),
  password: (name: string, password: string) => post<Step>('/password', { name, password }),
  totp: (ticket: string, code: string) => post<Step>('/totp', { ticket, code }),
  change: (ticket: string, password: string) => post<Step>('/change', { ticket, password }),
  out: () => post<void>('/out', {}),
  oidc: (id: string) => '/auth/oidc/' + encodeURIComponent(id),
  /** Asks the authenticator of this device, or one beside it. */
  async passkey(): Promise<Step> {
    const begun = await post<PasskeyBegin>('/passkey/begin', {});
    const options = PublicKeyCredential.parseRequestOptionsFromJSON(begun.publicKey);
    const got = await navigator.credentials.get({ publicKey: options });
    if (!(got instanceof PublicKeyCredential)) throw new DOMException('', 'NotAllowedError');
    return post<Step>('/passkey/finish', { ticket: begun.ticket, credential: got.toJSON() });
  },
};
