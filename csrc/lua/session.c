/*
 * lua/session - values of session cookies: a random id and its MAC
 *
 *	core.session_key() -> a new random key, 32 bytes
 *	core.session_new(key) -> value, "ID.MAC", 43 + 43 characters
 *	core.session_check(key, value) -> whether value was made with key
 *
 * Primitives and encoding are those of libsodium: crypto_auth (HMAC-SHA-512-256)
 * and URL-safe base64.
 */
#include "lua/session.h"

#include <lauxlib.h>
#include <sodium.h>
#include <string.h>
#include <sys/random.h>

#define ID_BYTES 32
#define TEXT	 sodium_base64_ENCODED_LEN(32, VARIANT) /* with the NUL */
#define VARIANT	 sodium_base64_VARIANT_URLSAFE_NO_PADDING

_Static_assert(crypto_auth_BYTES == 32, "a MAC is as long as an id");

static void fill_random(lua_State *L, unsigned char *to, size_t len)
{
	if (getrandom(to, len, 0) != (ssize_t)len)
		luaL_error(L, "getrandom failed");
}

static const unsigned char *check_key(lua_State *L)
{
	size_t len;
	const char *key = luaL_checklstring(L, 1, &len);

	luaL_argcheck(L, len == crypto_auth_KEYBYTES, 1, "key of 32 bytes");
	return (const unsigned char *)key;
}

static int session_key(lua_State *L)
{
	unsigned char key[crypto_auth_KEYBYTES];

	fill_random(L, key, sizeof key);
	lua_pushlstring(L, (char *)key, sizeof key);
	return 1;
}

static int session_new(lua_State *L)
{
	const unsigned char *key = check_key(L);
	unsigned char id[ID_BYTES], mac[crypto_auth_BYTES];
	char id_text[TEXT], mac_text[TEXT];

	fill_random(L, id, sizeof id);
	sodium_bin2base64(id_text, sizeof id_text, id, sizeof id, VARIANT);
	crypto_auth(mac, (unsigned char *)id_text, strlen(id_text), key);
	sodium_bin2base64(mac_text, sizeof mac_text, mac, sizeof mac, VARIANT);
	lua_pushfstring(L, "%s.%s", id_text, mac_text);
	return 1;
}

static int session_check(lua_State *L)
{
	const unsigned char *key = check_key(L);
	unsigned char mac[crypto_auth_BYTES];
	const char *value, *dot;
	size_t len, mac_len;
	int good;

	value = luaL_checklstring(L, 2, &len);
	dot = memchr(value, '.', len);
	good = dot &&
	       sodium_base642bin(mac, sizeof mac, dot + 1,
				 len - (size_t)(dot + 1 - value), NULL,
				 &mac_len, NULL, VARIANT) == 0 &&
	       mac_len == sizeof mac &&
	       crypto_auth_verify(mac, (const unsigned char *)value,
				  (size_t)(dot - value), key) == 0;
	lua_pushboolean(L, good);
	return 1;
}

void lua_session_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "session_key", session_key },
		{ "session_new", session_new },
		{ "session_check", session_check },
		{ NULL, NULL },
	};

	if (sodium_init() < 0)
		luaL_error(L, "libsodium: no randomness");
	luaL_setfuncs(L, functions, 0);
}
