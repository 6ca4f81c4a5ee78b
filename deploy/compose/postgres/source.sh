# Run once by the image's entrypoint, when the database is new: the application's schema, what capture needs, the connector's password.
for file in /sql/*.sql /etc/cdc/roles.sql; do
    psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet --username postgres --dbname "$POSTGRES_DB" --file "$file"
done
